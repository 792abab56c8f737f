import { readFile } from 'node:fs/promises';
import { loadAddon } from './addon.js';

/** native/memory. */
interface MemoryAddon {
  map(file: string): ArrayBuffer;
  limitArenas(count: number): void;
}

const addon = loadAddon('memory') as MemoryAddon | undefined;

/** Whether {@link mappedFile} maps files; else it reads them. */
export const filesCanBeMapped = (): boolean => addon !== undefined;

/**
 * A file's bytes, in memory only once for all threads of this process; processes share them too. Where native/memory
 * was not compiled, each caller gets a copy.
 * @returns read-only bytes, valid for the life of the process; the file may be removed or replaced meanwhile, but never
 *   shortened in place: reading past its new end kills the process
 * @throws Error as `readFile` does; for an empty file too
 */
export async function mappedFile(file: string): Promise<Uint8Array> {
  return addon ? new Uint8Array(addon.map(file)) : await readFile(file);
}

/**
 * Keeps the C library from giving each thread a heap of its own: with two, a server with two vision threads is 25 MB
 * smaller and no slower (docs/performance.md). Call it before threads start; it does nothing where native/memory was
 * not compiled.
 */
export function limitHeaps(count = 2): void {
  addon?.limitArenas(count);
}
