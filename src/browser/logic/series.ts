/** The latest values of a figure, at most `length` of them. */
export function createSeries(length: number) {
  const values: (number | undefined)[] = [];
  return {
    /** @param value undefined where there was none */
    push(value: number | undefined): void {
      values.push(value);
      if (values.length > length) values.shift();
    },
    get values(): readonly (number | undefined)[] {
      return values;
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

/**
 * The line of a chart, with the newest value at the right edge.
 * @param length how many values fill the width
 * @returns an SVG path; a gap where there was no value
 */
export function linePath(
  values: readonly (number | undefined)[],
  { length, top, width, height }: { length: number; top: number; width: number; height: number },
): string {
  const step = width / Math.max(1, length - 1);
  let pen = 'M';
  const parts: string[] = [];
  values.forEach((value, i) => {
    if (value === undefined) {
      pen = 'M';
      return;
    }
    const x = width - (values.length - 1 - i) * step;
    const y = height - (Math.min(value, top) / top) * height;
    parts.push(`${pen}${x.toFixed(1)} ${y.toFixed(1)}`);
    pen = 'L';
  });
  return parts.join('');
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
