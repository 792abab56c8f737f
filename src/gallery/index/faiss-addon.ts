import { createRequire } from 'node:module';

/**
 * Vectors of one length in faiss, searched and trained on libuv's threads (native/vectors). Invalid arguments throw a
 * RangeError.
 */
export interface FaissVectors {
  /**
   * @param vector copied
   * @returns its label; labels grow and are never used twice
   */
  add(vector: Float32Array): number;
  /** @param label from `add`, not yet removed */
  remove(label: number): void;
  /**
   * @param query copied
   * @returns at most `k`, nearest first; removed vectors that are still in the lists may be among them
   */
  search(query: Float32Array, k: number): Promise<{ labels: Float64Array; distances: Float32Array }>;
  /**
   * Builds new inverted lists of all vectors but those in the last block. Throws while another `train` or `tidy` runs.
   */
  train(lists: number, threads: number): Promise<void>;
  /** Moves full blocks into the lists and drops removed vectors from them. */
  tidy(threads: number): Promise<void>;
  /** How many lists a search reads. */
  setNprobe(count: number): void;
  /** Inverted lists, blocks outside of them, and removed vectors that may still be in the lists. */
  info(): { lists: number; blocks: number; dead: number };
  /** Makes a running training reject soon. */
  cancel(): void;
}

type FaissVectorsClass = new (length: number) => FaissVectors;

let loaded: FaissVectorsClass | Error | undefined;

/** Loads the addon once: faiss-node holds its classes in global variables, so only one thread may use it. */
function loadAddon(): FaissVectorsClass | Error {
  if (loaded) return loaded;
  try {
    const addon = createRequire(import.meta.url)('faiss-node') as { KaomonVectors?: FaissVectorsClass };
    loaded =
      addon.KaomonVectors ??
      new Error('this binary of faiss-node is not the one that "npm run setup" compiles');
  } catch (error) {
    loaded = error instanceof Error ? error : new Error(String(error));
  }
  return loaded;
}

/** Why faiss cannot be used here; undefined when it can. */
export function faissRefusal(): string | undefined {
  const addon = loadAddon();
  return addon instanceof Error ? addon.message.split('\n')[0] : undefined;
}

/** @throws Error when faiss cannot be used here (see {@link faissRefusal}) */
export function openFaissVectors(length: number): FaissVectors {
  const addon = loadAddon();
  if (addon instanceof Error) throw addon;
  return new addon(length);
}
