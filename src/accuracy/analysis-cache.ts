/** Analyses of earlier runs, on disk, so that measuring the same pictures again does not take minutes. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { makeFolder, replaceFile } from '../platform/files/durable.js';
import { sha256OfFile } from '../models/files.js';
import type { ReadyPack } from '../models/types.js';
import type { Box } from '../vision/types.js';

/** All faces of a picture; this is what the cache stores. */
export interface PictureAnalysis {
  width: number;
  height: number;
  /** Largest first. */
  faces: { box: Box; eyes?: number; embedding?: Float32Array }[];
  /** Why the picture could not be analysed. */
  problem?: string;
}

export interface AnalysisCache {
  /** @returns undefined when there is none, or it cannot be read */
  get(key: string): Promise<PictureAnalysis | undefined>;
  put(key: string, seen: PictureAnalysis): Promise<void>;
}

/** Version of what is stored; it grows when the format changes. */
const FORMAT = 1;

/** A cache that stores nothing. */
export const NO_CACHE: AnalysisCache = {
  get: () => Promise.resolve(undefined),
  put: () => Promise.resolve(),
};

/**
 * One small file per analysis. When the disk is full or cannot be written, the measurement goes on without the cache.
 * @param print identifies everything that the result depends on besides the picture, see {@link packPrint}
 * @param warn called once, when an analysis cannot be stored
 */
export function openAnalysisCache(
  folder: string,
  print: string,
  warn: (message: string) => void,
): AnalysisCache {
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
        return deserialize(await readFile(placeOf(key).file)) as PictureAnalysis;
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
        warn(`Results cannot be stored in ${folder}: ${(error as Error).message}.`);
      }
    },
  };
}

/**
 * A hash of all that a pack's results depend on: its networks, how it crops faces, and the code in src/vision, which may
 * change without a new version.
 */
export async function packPrint(
  pack: ReadyPack,
  settings: Readonly<Record<string, unknown>>,
): Promise<string> {
  const networks = Object.values(pack.detector).filter(
    (value): value is string => typeof value === 'string' && value.endsWith('.onnx'),
  );
  const files = [...networks, pack.embedder.network].sort();
  // The files' contents matter, not their paths.
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
