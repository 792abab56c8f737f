import { createRequire } from 'node:module';

/** Vectors in faiss, searched and trained on libuv's threads: scripts/native/kaomon_vectors.h says how. */
export interface FaissVectors {
  /** @returns the label: larger than every one before */
  add(vector: Float32Array): number;
  /** The label must be one that `add` gave and `remove` has not had. */
  remove(label: number): void;
  /** `k` or fewer, nearest first; removed vectors that are still in the lists may be among them. */
  search(query: Float32Array, k: number): Promise<{ labels: Float64Array; distances: Float32Array }>;
  /** New inverted lists of everything but the last block; one `train` or `tidy` at a time. */
  train(lists: number, threads: number): Promise<void>;
  /** Moves full blocks into the lists and drops removed vectors from them. */
  tidy(threads: number): Promise<void>;
  /** Lists that a search reads. */
  setNprobe(count: number): void;
  info(): { lists: number; blocks: number; dead: number };
  /** Makes a training under way end by an error, soon. */
  cancel(): void;
}

interface FaissAddon {
  kaomonMended?: number;
  KaomonVectors?: new (length: number) => FaissVectors;
}

let addon: FaissAddon | Error | undefined;

/** Loads the binary once: it keeps its classes in process-wide variables, so one thread alone may use it. */
function loadAddon(): FaissAddon | Error {
  if (addon) return addon;
  try {
    addon = createRequire(import.meta.url)('faiss-node') as FaissAddon;
    if (!addon.KaomonVectors)
      addon = new Error('this binary of faiss-node is not the one that "npm run setup" compiles');
  } catch (error) {
    addon = error instanceof Error ? error : new Error(String(error));
  }
  return addon;
}

/** Why faiss cannot be used here, or undefined when it can. */
export function faissRefusal(): string | undefined {
  const loaded = loadAddon();
  return loaded instanceof Error ? loaded.message.split('\n')[0] : undefined;
}

/** @throws Error when faiss cannot be used here (see {@link faissRefusal}) */
export function openFaissVectors(length: number): FaissVectors {
  const loaded = loadAddon();
  if (loaded instanceof Error) throw loaded;
  if (!loaded.KaomonVectors) throw new Error('unreachable: checked when it was loaded');
  return new loaded.KaomonVectors(length);
}
