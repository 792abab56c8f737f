import { readFile } from 'node:fs/promises';
import { loadAddon } from './addon.js';

/** native/memory. */
interface MemoryAddon {
  map(file: string): ArrayBuffer;
  limitArenas(count: number): void;
}

const addon = loadAddon('memory') as MemoryAddon | undefined;

/** Whether {@link mappedFile} maps; else it reads. */
export const filesCanBeMapped = (): boolean => addon !== undefined;

/**
 * A file's bytes, which every thread of this process finds at the same place, so that they are in memory once; several
 * processes share them too. Where native/memory was not compiled, a copy of the caller's own.
 * @returns for reading alone, good as long as the process lives; the file may be removed or replaced meanwhile, but never
 *   shortened in place: reading past its new end ends the process
 * @throws Error as `readFile` does; for an empty file too
 */
export async function mappedFile(file: string): Promise<Uint8Array> {
  return addon ? new Uint8Array(addon.map(file)) : await readFile(file);
}

/**
 * Keeps the C library from giving each thread a heap of its own: with two, a server with two vision threads is 25 MB
 * smaller and no slower (docs/performance.md). To be called before threads start; does nothing where
 * native/memory was not compiled.
 */
export function limitHeaps(count = 2): void {
  addon?.limitArenas(count);
}
