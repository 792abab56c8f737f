/** Marker segments of a JPEG (ITU-T T.81, annex B). */
export const TABLES = 0xdb;
export const SCAN = 0xda;
/** The lowest frequencies after the mean, in the table's order. */
const LOWEST = { from: 1, count: 5 };

/**
 * How coarsely a JPEG is quantised: the mean step of its five lowest luminance frequencies, in grey levels. 10 to 14 at
 * quality 50, ten times that at quality 5, where nothing is left of an eye 8 pixels wide.
 * @param bytes of a JPEG; only its header is read
 * @returns undefined when there is no table before the scan
 */
export function quantisationOf(bytes: Uint8Array): number | undefined {
  for (const { marker, segment } of segmentsOf(bytes)) {
    if (marker === SCAN) return undefined;
    const step = marker === TABLES ? stepIn(segment) : undefined;
    if (step !== undefined) return step;
  }
  return undefined;
}

/**
 * The segments of a JPEG's header, to where they are none any more; those behind a scan are not found.
 * @returns of each its marker, what it holds, and where it ends, which is beyond the bytes where it is cut off
 */
export function* segmentsOf(bytes: Uint8Array) {
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    const end = at + 2 + bytes[at + 2] * 256 + bytes[at + 3];
    if (end < at + 4) return;
    yield { marker, segment: bytes.subarray(at + 4, end), end };
    at = end;
  }
}

/** The mean step in table 0, the luminance table. */
function stepIn(tables: Uint8Array): number | undefined {
  for (let at = 0; at < tables.length;) {
    const bytesEach = tables[at] >> 4 ? 2 : 1;
    const isFirst = (tables[at] & 15) === 0;
    at += 1;
    if (isFirst && at + 64 * bytesEach <= tables.length) {
      let sum = 0;
      for (let i = LOWEST.from; i < LOWEST.from + LOWEST.count; i++) {
        const value = at + i * bytesEach;
        sum += bytesEach === 2 ? tables[value] * 256 + tables[value + 1] : tables[value];
      }
      return sum / LOWEST.count;
    }
    at += 64 * bytesEach;
  }
  return undefined;
}
