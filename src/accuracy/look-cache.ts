/** Looks that were taken before, on disk: another question to the same pictures need not take minutes. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { makeFolder, replaceFile } from '../platform/files/durable.js';
import { sha256OfFile } from '../models/files.js';
import type { ReadyPack } from '../models/types.js';
import type { Box } from '../vision/types.js';

/** All that a look at a picture saw; this is what is kept. */
export interface Seen {
  width: number;
  height: number;
  /** Largest first. */
  faces: { box: Box; eyes?: number; embedding?: Float32Array }[];
  /** Why the picture could not be looked at. */
  problem?: string;
}

export interface LookCache {
  /** @returns undefined when there is none, or it cannot be read */
  get(key: string): Promise<Seen | undefined>;
  put(key: string, seen: Seen): Promise<void>;
}

/** Of what is kept; another form, another number. */
const FORMAT = 1;

/** Keeps nothing. */
export const NO_CACHE: LookCache = {
  get: () => Promise.resolve(undefined),
  put: () => Promise.resolve(),
};

/**
 * One small file a look. A disk that is full or cannot be written costs the cache, not the measurement.
 * @param print what the looks hang on besides the picture, see {@link packPrint}
 * @param warn called once, when a look cannot be kept
 */
export function openLookCache(folder: string, print: string, warn: (message: string) => void): LookCache {
  let isBroken = false;
  const placeOf = (key: string) => {
    const name = createHash('sha256').update(`${print} ${key}`).digest('hex');
    return {
      folder: path.join(folder, name.slice(0, 2)),
      file: path.join(folder, name.slice(0, 2), name.slice(2)),
    };
  };
  return {
    async get(key) {
      try {
        return deserialize(await readFile(placeOf(key).file)) as Seen;
      } catch {
        return undefined;
      }
    },
    async put(key, seen) {
      if (isBroken) return;
      const place = placeOf(key);
      try {
        await makeFolder(place.folder);
        await replaceFile(place.file, serialize(seen));
      } catch (error) {
        isBroken = true;
        warn(`Looks cannot be kept in ${folder}: ${(error as Error).message}.`);
      }
    },
  };
}

/**
 * What a pack's looks hang on: its networks, how it cuts faces, and the code of the vision room, which need not wait for
 * a new version to answer otherwise.
 */
export async function packPrint(
  pack: ReadyPack,
  settings: Readonly<Record<string, unknown>>,
): Promise<string> {
  const networks = Object.values(pack.detector).filter((value) => value.endsWith('.onnx'));
  const files = [...networks, pack.embedder.network].sort();
  // Where the files lie does not matter, what is in them does.
  const cut = { ...pack.embedder, network: '' };
  const room = fileURLToPath(new URL('../vision/', import.meta.url));
  const hash = createHash('sha256').update(
    JSON.stringify([FORMAT, pack.id, pack.detector.kind, cut, settings]),
  );
  for (const file of files) hash.update(await sha256OfFile(file));
  const names = await readdir(room, { recursive: true });
  for (const name of names.filter((file) => file.endsWith('.js')).sort()) {
    hash.update(await readFile(path.join(room, name)));
  }
  return hash.digest('hex');
}
