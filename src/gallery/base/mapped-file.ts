import { readFileSync } from 'node:fs';

/** A file's bytes, not to be written to. @throws Error when it cannot be read */
export function mapFile(file: string): ArrayBuffer {
  const bytes = readFileSync(file);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}
