import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { BaseVectors, NearestRows, Range } from '../../src/gallery/base/base.js';
import { openMappedVectors } from '../../src/gallery/base/mapped-vectors.js';
import { nearestRows } from '../../src/gallery/index/rows.js';
import { type Owner, temporaryFolder } from './temporary.js';

/** Vectors as a snapshot has them, in a folder of their own. @returns the file */
export async function written(t: Owner, vectors: readonly Float32Array[]): Promise<string> {
  const file = path.join(await temporaryFolder(t), 'vectors.f32');
  await writeFile(file, Buffer.concat(vectors.map(({ buffer }) => new Uint8Array(buffer))));
  return file;
}

export async function opened(
  t: Owner,
  vectors: readonly Float32Array[],
  length: number,
): Promise<BaseVectors> {
  const base = await openMappedVectors({
    vectorsFile: await written(t, vectors),
    length,
    rows: vectors.length,
  });
  t.after(() => base.close());
  return base;
}

const within = (ranges: readonly Range[] | undefined, row: number) =>
  !ranges || ranges.some(({ first, end }) => row >= first && row < end);

/** What a search in plain TypeScript answers for the rows of some ranges that are left. */
export function reference(
  vectors: readonly Float32Array[],
  query: Float32Array,
  k: number,
  { ranges, gone = new Set() }: { ranges?: readonly Range[]; gone?: ReadonlySet<number> } = {},
) {
  const rows = [...vectors.keys()].filter((row) => within(ranges, row) && !gone.has(row));
  const matrix = new Float32Array(rows.length * query.length);
  for (const [i, row] of rows.entries()) matrix.set(vectors[row], i * query.length);
  const found = nearestRows(matrix, rows.length, query, k);
  return found.rows.map((i, at) => ({ row: rows[i], distance: found.distances[at] }));
}

export function assertSame(
  found: NearestRows,
  expected: { row: number; distance: number }[],
  what: string,
): void {
  assert.deepEqual(
    [...found.rows],
    expected.map(({ row }) => row),
    what,
  );
  for (const [i, { distance }] of expected.entries())
    assert.ok(Math.abs(found.distances[i] - distance) < 1e-5 * (1 + distance), `${what}, distance ${i}`);
}
