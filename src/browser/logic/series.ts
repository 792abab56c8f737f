/** A figure at a moment. */
export interface Point {
  /** Milliseconds since 1970. */
  at: number;
  /** Undefined where there was none. */
  value: number | undefined;
}

/** The values of a figure in the last `span` milliseconds. */
export function createSeries(span: number) {
  const points: Point[] = [];
  return {
    /** @param value undefined where there was none */
    push(at: number, value: number | undefined): void {
      points.push({ at, value });
      // One more than the span holds: the line comes in from the left edge.
      while (points.length > 1 && points[1].at < at - span) points.shift();
    },
    get points(): readonly Point[] {
      return points;
    },
  };
}

/** The top of a chart's scale: the smallest of 1, 2, 5, 10, 20, ... that is not below a value. */
export function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}

/** What of a chart's area a line is drawn in. */
export interface Area {
  /** The moment at the right edge, milliseconds since 1970. */
  now: number;
  /** Milliseconds from the left edge to the right one. */
  span: number;
  /** Two points that are farther apart than this are not joined: nobody knows what was between them, milliseconds. */
  gap: number;
  /** The value at the upper edge. */
  top: number;
  width: number;
  height: number;
}

/**
 * The line of a chart over time.
 * @returns an SVG path; a gap where there was no value, or none for a while
 */
export function linePath(points: readonly Point[], { now, span, gap, top, width, height }: Area): string {
  let last: Point | undefined;
  const parts: string[] = [];
  for (const point of points) {
    const { at, value } = point;
    if (value === undefined) {
      last = undefined;
      continue;
    }
    const x = width - ((now - at) / span) * width;
    const y = height - (Math.min(value, top) / top) * height;
    const isJoined = last !== undefined && at - last.at <= gap;
    // A point that stands alone is still seen: a line of no length with round ends.
    parts.push(isJoined ? `L${x.toFixed(1)} ${y.toFixed(1)}` : `M${x.toFixed(1)} ${y.toFixed(1)}h0`);
    last = point;
  }
  return parts.join('');
}

/**
 * The moments that a chart's time axis names: whole minutes.
 * @returns each with its place from the left, 0 to 1
 */
export function minutesIn(now: number, span: number): { at: number; place: number }[] {
  const MINUTE = 60_000;
  const ticks: { at: number; place: number }[] = [];
  for (let at = Math.ceil((now - span) / MINUTE) * MINUTE; at <= now; at += MINUTE)
    ticks.push({ at, place: 1 - (now - at) / span });
  return ticks;
}

/** `3 d 4 h`, `4 h 5 min`, `5 min`, `12 s`: the largest unit, and the next one where it matters. */
export function formatDuration(
  seconds: number,
  units: { days: string; hours: string; minutes: string; seconds: string },
): string {
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return `${days} ${units.days} ${hours} ${units.hours}`;
  if (hours > 0) return `${hours} ${units.hours} ${minutes} ${units.minutes}`;
  if (minutes > 0) return `${minutes} ${units.minutes}`;
  return `${Math.floor(seconds)} ${units.seconds}`;
}
