import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Base } from '../../src/gallery/base/base.js';
import { openMappedVectors, segmentsRefusal } from '../../src/gallery/base/mapped-vectors.js';
import type { StoredPerson } from '../../src/gallery/store/store.js';
import { plainBase, type PlainBaseOptions } from './plain-base.js';

export type MakeBase = (people: readonly StoredPerson[], options: PlainBaseOptions) => Promise<Base>;

/** Every kind of base whose searches are exact. */
export const BASES: { name: string; make: MakeBase; skip: string | false }[] = [
  { name: 'plain', make: (people, options) => Promise.resolve(plainBase(people, options)), skip: false },
  { name: 'mapped', make: mappedBase, skip: segmentsRefusal() ?? false },
];

/** With mapped vectors; its people are those of a plain one. */
async function mappedBase(people: readonly StoredPerson[], options: PlainBaseOptions): Promise<Base> {
  const plain = plainBase(people, options);
  const { rows } = plain.vectors;
  if (rows === 0) return plain;
  const { length } = plain.vectors.vectorAt(0);
  const matrix = new Float32Array(rows * length);
  for (let row = 0; row < rows; row++) matrix.set(plain.vectors.vectorAt(row), row * length);
  const folder = await mkdtemp(path.join(tmpdir(), 'kaomon-base-'));
  const vectorsFile = path.join(folder, 'vectors.f32');
  await writeFile(vectorsFile, matrix);
  const mapped = await openMappedVectors({ vectorsFile, length, rows });
  // Mapped, it stays without its name.
  await rm(folder, { recursive: true });
  const search: typeof mapped.search = async (...asked) => {
    const pause = options.pause?.();
    const found = await mapped.search(...asked);
    await pause;
    return found;
  };
  const close = async () => {
    await plain.close();
    await mapped.close();
  };
  return { people: plain.people, vectors: { ...mapped, search }, close };
}
