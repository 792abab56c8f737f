import type { Report, Row } from './report.js';

export interface Comparison {
  readonly place: string;
  readonly before: number;
  readonly after: number;
  readonly unit: Row['unit'];
  /** How many times worse it got: 1 is the same, 2 is half as good, 0.5 is twice as good. */
  readonly worse: number;
}

/** Units where more is better. */
const MORE_IS_BETTER = new Set<Row['unit']>(['/s', 'share']);

const placeOf = ({ section, of, measure }: Row) => `${section} / ${of} / ${measure}`;

/** Compares what both runs measured, row by row, worst first; by medians, because tails say more about the machine. */
export function compareReports(before: Report, after: Report): Comparison[] {
  const earlier = new Map(before.rows.map((row) => [placeOf(row), row]));
  return after.rows
    .flatMap((row): Comparison[] => {
      const other = earlier.get(placeOf(row));
      if (other?.unit !== row.unit) return [];
      const [from, to] = MORE_IS_BETTER.has(row.unit)
        ? [row.median, other.median]
        : [other.median, row.median];
      // Zero and zero are the same.
      const worse = from === to ? 1 : to / from;
      return [{ place: placeOf(row), before: other.median, after: row.median, unit: row.unit, worse }];
    })
    .sort((a, b) => b.worse - a.worse);
}

/** A table of what changed by more than the margin, and a summary. */
export function describeComparison(comparisons: readonly Comparison[], margin: number): string {
  const slower = comparisons.filter(({ worse }) => worse > 1 + margin);
  const faster = comparisons.filter(({ worse }) => worse < 1 / (1 + margin));
  const line = ({ place, before, after, unit, worse }: Comparison) =>
    `  ${place}: ${before.toFixed(2)} -> ${after.toFixed(2)} ${unit} (${worse > 1 ? `${worse.toFixed(2)} times worse` : `${(1 / worse).toFixed(2)} times better`})`;
  const percent = `${Math.round(margin * 100)} %`;
  return [
    ...(slower.length > 0 ? [`Worse by more than ${percent}:`, ...slower.map(line)] : []),
    ...(faster.length > 0 ? [`Better by more than ${percent}:`, ...faster.map(line)] : []),
    `${comparisons.length} compared: ${slower.length} worse, ${faster.length} better, the others within ${percent}.`,
  ].join('\n');
}
