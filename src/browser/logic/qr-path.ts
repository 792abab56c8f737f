/** White modules around a QR code, without which readers do not find it. */
export const QUIET_ZONE = 4;

/** A QR code's modules. */
export interface Modules {
  /** Modules along a side. */
  size: number;
  /** Row by row, `size` times `size`: 1 dark, 0 light. */
  data: ArrayLike<number>;
}

/**
 * The dark modules as an SVG path, a rectangle for each run in a row.
 * @returns the path, in modules, with {@link QUIET_ZONE} around it
 */
export function qrPath({ size, data }: Modules): string {
  const parts: string[] = [];
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      const first = column;
      while (column < size && data[row * size + column]) column += 1;
      const run = column - first;
      if (run > 0) parts.push(`M${first + QUIET_ZONE} ${row + QUIET_ZONE}h${run}v1h-${run}z`);
    }
  }
  return parts.join('');
}
