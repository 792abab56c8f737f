/** One measurement. */
export interface Row {
  /** `stages`, `http`, ...: a table of its own. */
  readonly section: string;
  /** The row of the table: a frame, a number of clients, a size. */
  readonly of: string;
  /** The column: a stage, a kind of index. */
  readonly measure: string;
  readonly unit: 'ms' | '/s' | 'MB' | 's' | 'share';
  readonly median: number;
  readonly p95?: number;
  /** The number of samples. */
  readonly samples: number;
}

/** A saved run. */
export interface Report {
  readonly format: 'kaomon-bench';
  readonly version: string;
  /** When it began, ISO 8601. */
  readonly at: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGb: number;
    readonly node: string;
    readonly platform: string;
    /** Load averages at the beginning and the end, which tell what else was running. */
    readonly load: readonly [number, number];
  };
  readonly command: string;
  /** Substitutes that were used, and what was left out and why. */
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
}

/** The value below which a fraction of the samples are. @param samples at least one, in any order */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** Median and 95th percentile as a row. @param samples at least one */
export function rowOf(
  place: Pick<Row, 'section' | 'of' | 'measure' | 'unit'>,
  samples: readonly number[],
): Row {
  return { ...place, median: quantile(samples, 0.5), p95: quantile(samples, 0.95), samples: samples.length };
}

const SECTIONS: Readonly<Record<string, string>> = {
  stages: 'One frame of 960x540, stage by stage, on one thread (ms)',
  http: 'Through HTTP: POST /api/v1/recognise, 960x540 JPEG',
  stream: 'Through the stream: /api/v1/stream, two frames in flight a client',
  search: 'Search, vectors of 512 (ms; 4 searches at a time where it says so)',
  scale: 'A gallery by its size',
  fleet: 'Cameras and workers over one Milvus (ms)',
  events: 'From an enrolment through one worker until another knows it',
  start: 'Start-up and memory of one worker',
  soak: 'Memory over many frames: two cameras of 640x360 with one face, and requests beside them',
};

function format({ unit, median, p95 }: Row): string {
  const digits = (value: number) =>
    unit === 'share'
      ? value.toFixed(3)
      : value >= 100
        ? value.toFixed(0)
        : value >= 1
          ? value.toFixed(1)
          : value.toFixed(2);
  const suffix = unit === 'ms' || unit === 'share' ? '' : ` ${unit}`;
  return p95 === undefined ? `${digits(median)}${suffix}` : `${digits(median)} (${digits(p95)})${suffix}`;
}

/** The tables of a run: the median and, in brackets, the 95th percentile. */
export function toMarkdown(report: Report): string {
  const { machine } = report;
  const lines = [
    `# Benchmark of ${report.at}`,
    '',
    `Kaomon ${report.version}, \`${report.command}\`. ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, Node ${machine.node}, ${machine.platform}; load average ${machine.load[0].toFixed(1)} at the begin, ${machine.load[1].toFixed(1)} at the end. Medians, 95th percentiles in brackets.`,
    ...(report.notes.length > 0 ? ['', ...report.notes.map((note) => `- ${note}`)] : []),
  ];
  for (const section of new Set(report.rows.map((row) => row.section))) {
    const rows = report.rows.filter((row) => row.section === section);
    const measures = [...new Set(rows.map((row) => row.measure))];
    const cases = [...new Set(rows.map((row) => row.of))];
    lines.push('', `## ${SECTIONS[section] ?? section}`, '');
    // A table reads best with few columns and many rows.
    const turned = measures.length > cases.length;
    const [down, across] = turned ? [measures, cases] : [cases, measures];
    lines.push(`| | ${across.join(' | ')} |`, `|---|${'---|'.repeat(across.length)}`);
    for (const name of down) {
      const cells = across.map((other) => {
        const [of, measure] = turned ? [other, name] : [name, other];
        const row = rows.find((candidate) => candidate.of === of && candidate.measure === measure);
        return row ? format(row) : '';
      });
      lines.push(`| ${name} | ${cells.join(' | ')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}
