import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pMap from 'p-map';
import { nameFace } from '../gallery/face-name.js';
import { faceIdOf } from '../gallery/ids.js';
import { createLayout } from '../gallery/store/file-layout.js';
import { encodeNpy } from '../gallery/store/npy.js';
import { makeFolder } from '../platform/files/durable.js';
import type { BenchContext } from './effort.js';
import type { BenchPack } from './pack.js';
import { createIdentities } from './vectors.js';

/** The group that CompreFace's surface searches with a key that is tied to none. */
export const GROUP = 'default';
const SEED = 17;
/** Folders made at a time. */
const AT_ONCE = 32;

export interface MadeGallery {
  folder: string;
  /** Settings of a server with this gallery. */
  env: Record<string, string>;
  /** Another face of somebody, and who it is. */
  probes: { username: string; vector: Float32Array }[];
}

/** A gallery of made people, a face each, in files of its own, written without waiting for the disk. */
export async function makeGallery(
  size: number,
  { pack, env }: BenchPack,
  { folder: parent, effort }: BenchContext,
): Promise<MadeGallery> {
  const { length } = pack.embedder;
  const folder = path.join(parent, `made-${size}`);
  await rm(folder, { recursive: true, force: true });
  const layout = createLayout(folder, pack.id);
  await makeFolder(layout.packFolder);
  const made = createIdentities(length, SEED);
  const probes: MadeGallery['probes'] = [];
  const every = Math.max(1, Math.floor(size / effort.searches));
  const at = new Date('2026-01-01T00:00:00Z');
  const numbers = (function* () {
    for (let i = 0; i < size; i++) yield i;
  })();
  await pMap(
    numbers,
    async (i) => {
      const userid = `p${String(i).padStart(8, '0')}`;
      const faceid = faceIdOf(GROUP, userid);
      const person = made.direction();
      const username = `Person ${i}`;
      if (i % every === 0) probes.push({ username, vector: made.faceOf(person) });
      await mkdir(layout.personFolder(faceid));
      await writeFile(layout.personFile(faceid), JSON.stringify({ username, metadata: {} }));
      const face = { faceid, id: nameFace(faceid, at, false) };
      await writeFile(layout.vectorFile(face), encodeNpy(made.faceOf(person)));
    },
    { concurrency: AT_ONCE },
  );
  return {
    folder,
    probes,
    env: { ...env, EMBEDDINGS_DIR: folder, CACHE_DIR: path.join(parent, 'server') },
  };
}
