import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** scripts/native/process_memory.cc, where `npm run setup` compiled it. */
interface Addon {
  map(file: string): ArrayBuffer;
  limitArenas(count: number): void;
}

const ADDON = 'faiss-node/build/Release/process-memory.node';
let addon: Addon | null | undefined;

/** @returns null where it was not compiled */
function loadAddon(): Addon | null {
  if (addon !== undefined) return addon;
  try {
    addon = createRequire(import.meta.url)(ADDON) as Addon;
  } catch {
    addon = null;
  }
  return addon;
}

/** Whether {@link mappedFile} maps; else it reads. */
export const filesCanBeMapped = (): boolean => loadAddon() !== null;

/**
 * A file's bytes, which every thread of this process finds at the same place, so that they are in memory once; several
 * processes share them too. Where our addon could not be compiled, a copy of the caller's own.
 * @returns for reading alone, good as long as the process lives; the file may be removed or replaced meanwhile, but never
 *   shortened in place: reading past its new end ends the process
 * @throws Error as `readFile` does; for an empty file too
 */
export async function mappedFile(file: string): Promise<Uint8Array> {
  const mapping = loadAddon();
  return mapping ? new Uint8Array(mapping.map(file)) : await readFile(file);
}

/**
 * Keeps the C library from giving each thread a heap of its own: with two, a server with two vision threads is 25 MB
 * smaller and no slower (docs/performance.md). To be called before threads start; does nothing where our addon could
 * not be compiled.
 */
export function limitHeaps(count = 2): void {
  loadAddon()?.limitArenas(count);
}
