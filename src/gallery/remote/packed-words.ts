/**
 * The words of many commands in few arguments, as Redis's `cmsgpack` reads them: a person may have any number of faces, but
 * neither a call in JavaScript nor one of Redis takes any number of arguments.
 */

export type Word = string | number | Buffer;

/** Bytes of an argument, or a little more; well below the 512 MB that Redis takes. */
const PART = 1_000_000;
/** MessagePack's "array" and "string", each with its length in the next 4 bytes. */
const ARRAY = 0xdd;
const STRING = 0xdb;

function header(kind: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(5);
  bytes[0] = kind;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function packOne(words: readonly Word[]): Buffer {
  const pieces = [header(ARRAY, words.length)];
  for (const word of words) {
    const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
    pieces.push(header(STRING, bytes.length), bytes);
  }
  return Buffer.concat(pieces);
}

/** All of them in one argument. */
export const packWords = (commands: readonly (readonly Word[])[]): Buffer => join(commands.map(packOne));

const join = (packed: readonly Buffer[]): Buffer => Buffer.concat([header(ARRAY, packed.length), ...packed]);

/** In as many arguments as they need. */
export function packInParts(commands: readonly (readonly Word[])[]): Buffer[] {
  const parts: Buffer[] = [];
  let some: Buffer[] = [];
  let bytes = 0;
  for (const command of commands) {
    const packed = packOne(command);
    some.push(packed);
    bytes += packed.length;
    if (bytes < PART) continue;
    parts.push(join(some));
    some = [];
    bytes = 0;
  }
  return some.length > 0 ? [...parts, join(some)] : parts;
}
