import { readFileSync } from 'node:fs';
import { segmentsAddon } from './segments-addon.js';

/**
 * A file's bytes, in memory only once for all processes of this machine and only as far as they are read. Where
 * native/segments was not compiled, the file is read.
 * @returns not to be written to; given back when it is collected. The file may be removed or replaced meanwhile but never
 *   shortened in place: reading past its new end kills the process
 * @throws Error when it cannot be read or is not a regular file
 */
export function mapFile(file: string): ArrayBuffer {
  if (segmentsAddon) return segmentsAddon.map(file);
  const bytes = readFileSync(file);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}
