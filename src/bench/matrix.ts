import { open, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { openMappedVectors } from '../gallery/base/mapped-vectors.js';
import { trainLists } from '../gallery/base/train-lists.js';
import type { BenchContext } from './effort.js';
import { rowOf } from './report.js';
import { createIdentities } from './vectors.js';

/** The embeddings of the default pack are longer than this; a gallery of ten million has some 20 GB of either. */
const LENGTH = 512;
const SEED = 23;
/** Noise that puts another face of somebody 0.53 (squared L2) from the enrolled one. */
const SPREAD = 0.92;
/** Vectors that are written at a time. */
const BLOCK = 1000;

/**
 * What searching costs in a gallery that is too large to be made here as files of people: its matrix and its lists alone,
 * as a snapshot holds them. They stay in the folder until it is over: a run that was cut off goes on.
 */
export async function benchMatrix(rows: number, { add, note, folder, effort }: BenchContext): Promise<void> {
  const place = (measured: string, unit: 's' | 'MB' | 'ms' | 'share') =>
    ({ section: 'scale', of: `${rows.toLocaleString('en')} people`, measure: measured, unit }) as const;
  const vectorsFile = path.join(folder, `matrix-${rows}.f32`);
  const listsFile = path.join(folder, `matrix-${rows}.ivf`);
  const bytes = rows * LENGTH * 4;
  const known = await stat(vectorsFile).catch(() => undefined);
  if (known?.size !== bytes) await makeMatrix(vectorsFile, rows);
  if (!(await stat(listsFile).catch(() => undefined))) {
    const begun = performance.now();
    const threads = availableParallelism();
    await trainLists({ vectorsFile, length: LENGTH, rows, listsFile, threads });
    add(rowOf(place('training, all cores', 's'), [(performance.now() - begun) / 1000]));
  }
  const before = process.memoryUsage.rss();
  const vectors = await openMappedVectors({ vectorsFile, length: LENGTH, rows, listsFile });
  try {
    const made = createIdentities(LENGTH, SEED + 1, SPREAD);
    const times: number[] = [];
    let found = 0;
    for (let i = 0; i < effort.searches; i++) {
      const row = Math.floor(((i + 0.5) * rows) / effort.searches);
      const probe = made.faceOf(vectors.vectorAt(row));
      const begun = performance.now();
      const nearest = await vectors.search(probe, 1);
      times.push(performance.now() - begun);
      if (nearest.rows[0] === row) found += 1;
    }
    add(rowOf(place('search by vector', 'ms'), times));
    add(rowOf(place('found', 'share'), [found / effort.searches]));
    add(
      rowOf(place('resident, beyond an empty process', 'MB'), [
        (process.memoryUsage.rss() - before) / 2 ** 20,
      ]),
    );
    note(`scale: of ${rows.toLocaleString('en')} people the matrix and its lists alone, without HTTP.`);
  } finally {
    await vectors.close();
  }
  for (const file of [vectorsFile, listsFile]) await rm(file, { force: true });
}

async function makeMatrix(file: string, rows: number): Promise<void> {
  const { direction } = createIdentities(LENGTH, SEED);
  const block = new Float32Array(BLOCK * LENGTH);
  const handle = await open(file, 'w');
  try {
    for (let first = 0; first < rows; first += BLOCK) {
      const count = Math.min(BLOCK, rows - first);
      for (let i = 0; i < count; i++) block.set(direction(), i * LENGTH);
      await handle.write(new Uint8Array(block.buffer, 0, count * LENGTH * 4));
    }
  } finally {
    await handle.close();
  }
}
