import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { unlessMissing } from '../platform/files/durable.js';

/** Networks and weights are no secret: anybody who can open the folder may read them. */
export const READABLE = { mode: 0o666 } as const;

/** SHA-256 of a file's content, hex. Reads it in pieces. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** SHA-256 of bytes, hex. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Size and time of change, or undefined when there is no such file. */
export async function statFile(file: string): Promise<{ bytes: number; modified: number } | undefined> {
  const found = await unlessMissing(stat(file));
  return found && { bytes: found.size, modified: found.mtimeMs };
}
