/** The report as Markdown, which can be read on a terminal, too. */
import type { Interval } from './bootstrap.js';
import { describeCondition } from './conditions.js';
import { FPIR_LEVELS, type Identification, type IdentificationPoint } from './error-rates.js';
import { REFERENCES } from './identification.js';
import type { PackReport } from './measure.js';
import { FMR_LEVELS, type VerificationPoint } from './verification.js';
import { wholeGalleries } from './plots.js';

/** How many files are named, so that a folder of landscapes does not fill the screen. */
const NAMED = 20;

/** The whole report of one pack. */
export function reportPack(report: PackReport, which: string): string {
  return [
    `## ${report.pack}`,
    `${report.title}. ${describeSet(report, which)}`,
    ...listPictures(report),
    '### Verification (1:1)',
    describeVerification(report),
    table(
      ['FMR', 'distance', 'FNMR', 'TAR = (1 - FTA)(1 - FNMR)'],
      report.verification.points.filter(({ level }) => level !== undefined).map(verificationRow),
    ),
    ...describeIdentification(report),
    ...describeConditions(report),
  ].join('\n\n');
}

/** The packs side by side. */
export function compareReports(reports: readonly PackReport[]): string {
  const tarAt = ({ verification }: PackReport, level: number) => {
    const point = verification.points.find((one) => one.level === level);
    return point ? withInterval(point.tar, point.tarInterval) : '-';
  };
  const levels = FMR_LEVELS.slice(1);
  const rows = reports.map((report) => {
    const galleries = wholeGalleries(report);
    const fnir = [1, 2].map((faces) => {
      const found = galleries.find(({ size }) => size.faces === faces);
      const point = found?.points.find(({ level }) => level === 0.01);
      return point ? withInterval(point.fnir, point.fnirInterval) : '-';
    });
    return [
      report.pack,
      percent(report.verification.fta),
      ...levels.map((level) => tarAt(report, level)),
      ...fnir,
    ];
  });
  const head = ['pack', 'FTA', ...levels.map((level) => `TAR at FMR ${power(level)}`)];
  return table([...head, 'FNIR at FPIR 1 %, 1 face each', '2 faces each'], rows);
}

function describeSet({ pictures, people, strangers, views }: PackReport, which: string): string {
  const looks =
    views > 1
      ? `Enrolled with the mean of ${views} views, searched with one`
      : 'Enrolled and searched with one view';
  return (
    `${count(pictures)} pictures of ${count(people)} people and ${count(strangers)} strangers. ${looks}. ` +
    `In a picture with several faces the ${which === 'largest' ? 'largest' : 'one nearest to the centre'} counts.`
  );
}

function listPictures({ pictures, faceless, several, suspects, verification }: PackReport): string[] {
  const named = (lines: string[]) =>
    lines.length > NAMED ? [...lines.slice(0, NAMED), `- ... and ${lines.length - NAMED} more`] : lines;
  const missing = faceless.map(
    ({ file, problem }) => `- no face: \`${file}\`${problem ? ` (${problem})` : ''}`,
  );
  const acquired =
    `Failure to acquire (FTA): ${count(faceless.length)} of ${count(pictures)} pictures, ${percent(verification.fta)}. ` +
    `${count(several)} pictures show several faces.`;
  const alike = suspects.alike.map(
    ({ files, distance }) => `- ${distance.toFixed(3)} ${files.map((file) => `\`${file}\``).join(' = ')}`,
  );
  const apart = suspects.apart.map(
    ({ file, distance, faces }) =>
      `- ${distance.toFixed(3)} \`${file}\`${faces > 1 ? ` (${faces} faces)` : ''}`,
  );
  const advice =
    'Look at them. Pictures in the wrong folder decide where every curve ends: leave those out with `--except`, and no others.';
  return [
    [acquired, ...named(missing)].join('\n'),
    ...(alike.length > 0
      ? [
          [
            `Possibly one person under two names, since they are nearer than half of the genuine pairs. ${advice}`,
            '',
            ...alike,
          ].join('\n'),
        ]
      : []),
    ...(apart.length > 0
      ? [[`Unlike all other pictures of their person. ${advice}`, '', ...named(apart)].join('\n')]
      : []),
  ];
}

function describeVerification({ verification: { pairs, eer, points }, proposal }: PackReport): string {
  const inForce = points.find(({ level }) => level === undefined);
  const parts = [`${count(pairs.genuine)} genuine and ${count(pairs.impostor)} impostor pairs.`];
  if (eer !== undefined) parts.push(`EER ${percent(eer)}.`);
  if (inForce) {
    const { threshold, fmr, fmrInterval, fnmr, fnmrInterval } = inForce;
    parts.push(
      `The server takes two pictures for the same person's below ${threshold.toFixed(3)}: ` +
        `FMR ${withInterval(fmr, fmrInterval)}, FNMR ${withInterval(fnmr, fnmrInterval)}.`,
    );
  }
  if (proposal) {
    parts.push(
      `Fixed thresholds, for a pack without a curve: identical ${proposal.identical.toFixed(3)} (FMR 1e-3), ` +
        `sure ${proposal.sure.toFixed(3)} (a fifth below the nearest pair).`,
    );
  }
  return parts.join(' ');
}

function verificationRow({
  level,
  threshold,
  fnmr,
  fnmrInterval,
  tar,
  tarInterval,
}: VerificationPoint): string[] {
  return [
    power(level ?? NaN),
    threshold.toFixed(3),
    withInterval(fnmr, fnmrInterval),
    withInterval(tar, tarInterval),
  ];
}

function describeIdentification({ identification, inForce, reference }: PackReport): string[] {
  const told = identification.filter(({ points }) => points.length > 0);
  if (told.length === 0)
    return [
      '### Identification (1:N)',
      'Too few pictures: nobody has one to enrol and another to search with.',
    ];
  const largest = Math.max(...told.filter(({ size }) => size.filling === 0).map(({ size }) => size.people));
  const levels = FPIR_LEVELS.map((level) => `FNIR at FPIR ${percent(level)}`);
  const row = ({ size, points }: Identification) => [
    galleryOf(size),
    String(size.faces),
    ...FPIR_LEVELS.map((level) => fnirAt(points, level)),
  ];
  const products = told.filter((one) => one.reference === reference);
  const references = told.filter(
    ({ size }) => size.filling === 0 && size.people === largest && size.faces > 1,
  );
  const nonMated = Math.max(...products.map((one) => one.nonMated.people));
  return [
    '### Identification (1:N)',
    `The distance to a person is that to the nearest of their faces${reference === 'both' ? ' and their template' : ''}. Each line: 10 random galleries, searched ` +
      `for their people's other pictures and for up to ${count(nonMated)} people who are not enrolled.`,
    table(['enrolled', 'faces each', ...levels], products.map(row)),
    ...(references.length > 0
      ? [
          `By how the distance to a person is taken, with ${count(largest)} people:`,
          table(
            ['reference', 'faces each', ...levels],
            references
              .toSorted(
                (a, b) =>
                  a.size.faces - b.size.faces ||
                  REFERENCES.indexOf(a.reference) - REFERENCES.indexOf(b.reference),
              )
              .map(({ reference, size, points }) => [
                NAMES[reference],
                String(size.faces),
                ...FPIR_LEVELS.map((level) => fnirAt(points, level)),
              ]),
          ),
        ]
      : []),
    "At the server's own threshold:",
    table(
      [
        'enrolled',
        'faces each',
        'threshold',
        'target FPIR',
        'predicted by people',
        'by faces',
        'FPIR measured',
        'FNIR',
        'misnamed',
      ],
      inForce.map((one) => [
        galleryOf(one.size),
        String(one.size.faces),
        one.threshold.toFixed(3),
        one.aim === undefined ? '-' : percent(one.aim),
        percent(one.predicted.byPeople),
        percent(one.predicted.byFaces),
        withInterval(one.fpir, one.fpirInterval),
        withInterval(one.fnir, one.fnirInterval),
        percent(one.misnamed),
      ]),
    ),
  ];
}

const NAMES = { nearest: 'nearest face', template: 'template', both: 'nearest of both' };

const galleryOf = ({ people, filling }: { people: number; filling: number }) =>
  filling > 0 ? `${count(people)} and ${count(filling)} strangers` : count(people);

function fnirAt(points: readonly IdentificationPoint[], level: number): string {
  const point = points.find((one) => one.level === level);
  return point ? withInterval(point.fnir, point.fnirInterval) : '-';
}

function describeConditions({ conditions }: PackReport): string[] {
  if (conditions.length === 0) return [];
  const share = (some: number, of: number) => (of === 0 ? '-' : percent(some / of));
  return [
    '### From farther away, out of focus',
    "One face enrolled per person, the server's own threshold, `MIN_FACE_SIZE=12`.",
    table(
      ['pictures', 'searches', 'known', 'wrong', 'unknown', 'of these no face', 'strangers', 'named'],
      conditions.map(({ condition, mated, nonMated }) => [
        describeCondition(condition),
        count(mated.searches),
        share(mated.known, mated.searches),
        share(mated.wrong, mated.searches),
        share(mated.unknown, mated.searches),
        share(mated.faceless, mated.searches),
        count(nonMated.searches),
        share(nonMated.named, nonMated.searches),
      ]),
    ),
  ];
}

/** Two significant digits, or one decimal where that is more: 0.0042 %, 1.3 %, 97.2 %. */
export function percent(rate: number): string {
  if (Number.isNaN(rate)) return '-';
  const value = rate * 100;
  if (value === 0) return '0 %';
  if (value >= 0.995) return `${value.toFixed(1)} %`;
  return `${Number(value.toPrecision(2))} %`;
}

function withInterval(rate: number, interval: Interval | undefined): string {
  if (!interval) return percent(rate);
  const end = (value: number) => percent(value).replace(' %', '');
  return `${percent(rate)} (${end(interval.low)} to ${end(interval.high)})`;
}

const power = (rate: number) => `1e${Math.round(Math.log10(rate))}`;
const count = (value: number) => value.toLocaleString('en');

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(3, title.length, ...rows.map((row) => row[i].length)));
  const lineOf = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  return [lineOf(head), lineOf(widths.map((width) => '-'.repeat(width))), ...rows.map(lineOf)].join('\n');
}
