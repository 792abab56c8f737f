/** The nearest rows of a matrix and their squared L2 distances, nearest first. */
export interface Rows {
  rows: number[];
  distances: number[];
}

/**
 * Exact search on the calling thread; about half a millisecond per thousand rows of 512.
 * @param vectors row-major, `query.length` numbers a row
 * @param count rows to read
 */
export function nearestRows(vectors: Float32Array, count: number, query: Float32Array, k: number): Rows {
  const { length } = query;
  const whole = length - (length % 4);
  const rows: number[] = [];
  const distances: number[] = [];
  let limit = Infinity;
  for (let row = 0, start = 0; row < count; row++, start += length) {
    // Four independent sums are about twice as fast as one.
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < whole; i += 4) {
      const p = query[i] - vectors[start + i];
      const q = query[i + 1] - vectors[start + i + 1];
      const r = query[i + 2] - vectors[start + i + 2];
      const s = query[i + 3] - vectors[start + i + 3];
      a += p * p;
      b += q * q;
      c += r * r;
      d += s * s;
    }
    for (let i = whole; i < length; i++) a += (query[i] - vectors[start + i]) ** 2;
    const distance = a + b + c + d;
    if (distance >= limit) continue;
    let at = rows.length;
    while (at > 0 && distances[at - 1] > distance) at -= 1;
    rows.splice(at, 0, row);
    distances.splice(at, 0, distance);
    if (rows.length > k) {
      rows.pop();
      distances.pop();
    }
    if (rows.length === k) limit = distances[k - 1];
  }
  return { rows, distances };
}
