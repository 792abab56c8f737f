/** The last so many figures of something that is looked at again and again. */
export function createSeries(length: number) {
  const values: (number | undefined)[] = [];
  return {
    /** @param value undefined: there was none this time */
    push(value: number | undefined): void {
      values.push(value);
      if (values.length > length) values.shift();
    },
    get last(): number | undefined {
      return values.at(-1);
    },
    get values(): readonly (number | undefined)[] {
      return values;
    },
  };
}

/** The next of 1, 2, 5, 10, 20, ... that is not under a value: the top of a chart's scale. */
export function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}

/**
 * Lines of a chart, newest value at the right edge.
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

/** `3 d 4 h`, `4 h 5 min`, `5 min`, `12 s`: the two largest units that tell something. */
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
