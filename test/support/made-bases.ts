import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Base, BaseVectors } from '../../src/gallery/base/base.js';
import { openMappedVectors, segmentsRefusal } from '../../src/gallery/base/mapped-vectors.js';
import { createEncoder } from '../../src/gallery/snapshot/encode.js';
import { type Manifest, VECTORS, VERSION } from '../../src/gallery/snapshot/format.js';
import { openPeople } from '../../src/gallery/snapshot/people.js';
import type { StoredPerson } from '../../src/gallery/store/store.js';
import { templateOf } from '../../src/gallery/templates.js';
import { plainBase, type PlainBaseOptions } from './plain-base.js';

export type MakeBase = (people: readonly StoredPerson[], options: PlainBaseOptions) => Promise<Base>;

/** Every kind of base whose searches are exact. */
export const BASES: { name: string; make: MakeBase; skip: string | false }[] = [
  { name: 'plain', make: (people, options) => Promise.resolve(plainBase(people, options)), skip: false },
  { name: 'mapped', make: mappedBase, skip: segmentsRefusal() ?? false },
  { name: 'snapshot', make: snapshotBase, skip: segmentsRefusal() ?? false },
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
  const close = async () => {
    await plain.close();
    await mapped.close();
  };
  return { people: plain.people, vectors: withPause(mapped, options), close };
}

function withPause(mapped: BaseVectors, { pause }: PlainBaseOptions): BaseVectors {
  const search: typeof mapped.search = async (...asked) => {
    const paused = pause?.();
    const found = await mapped.search(...asked);
    await paused;
    return found;
  };
  return { ...mapped, search };
}

/** The files of a snapshot, as its writer makes them. */
async function snapshotBase(people: readonly StoredPerson[], options: PlainBaseOptions): Promise<Base> {
  const { number = 1, position = '', templates = true, groups: storedGroups = [], otherPacks = {} } = options;
  const length = people.find(({ faces }) => faces.length > 0)?.faces[0].vector.length;
  if (length === undefined) return plainBase(people, options);
  const folder = await mkdtemp(path.join(tmpdir(), 'kaomon-base-'));
  const encoder = await createEncoder(folder, length);
  for (const person of [...people].sort((a, b) => (a.faceid < b.faceid ? -1 : 1))) {
    const own = person.faces.map(({ vector }) => vector);
    const template = templates ? templateOf(own) : undefined;
    encoder.add({
      ...person,
      faces: person.faces,
      vectors: template ? [...own, template] : own,
      stamp: { modified: 0, changed: 0 },
    });
  }
  const encoded = await encoder.finish();
  await encoder.close();
  const kept = { version: VERSION, pack: 'tiny', length, templates, log: 'file' as const, position };
  const manifest = { ...kept, madeAt: new Date().toISOString(), storedGroups, otherPacks, ...encoded };
  const vectorsFile = path.join(folder, VECTORS);
  const opened = openPeople(folder, manifest as Manifest, number);
  const vectors = await openMappedVectors({ vectorsFile, length, rows: encoded.rows });
  await rm(folder, { recursive: true });
  return { people: opened, vectors: withPause(vectors, options), close: () => vectors.close() };
}
