import { closeDescriptor, openNameless, readRange, writeAll } from './nameless.js';

/** Kept in memory before a file is opened, bytes: enough for some 80,000 people, so that most exports need no disk. */
const KEPT = 16 << 20;
/** Written at a time, bytes. */
const PIECE = 1 << 18;

/** Bytes that are written once and read again, any number of times; see {@link createSpool}. */
export interface Spool {
  readonly length: number;
  /** @param bytes not copied; must not change afterwards */
  append(bytes: Buffer): Promise<void>;
  /** From the beginning; nothing may be appended meanwhile. */
  read(): AsyncGenerator<Buffer>;
  close(): Promise<void>;
}

/**
 * Holds what would not fit in memory: in a file without a name, which vanishes with the process.
 * @param folder where the file is made, once it is needed
 */
export function createSpool(folder: string, kept = KEPT): Spool {
  let parts: Buffer[] = [];
  let held = 0;
  let length = 0;
  let descriptor: number | undefined;

  async function flush(): Promise<void> {
    descriptor ??= await openNameless(folder);
    const bytes = Buffer.concat(parts);
    parts = [];
    held = 0;
    await writeAll(descriptor, bytes);
  }

  return {
    get length() {
      return length;
    },
    async append(bytes) {
      parts.push(bytes);
      held += bytes.length;
      length += bytes.length;
      if (held > (descriptor === undefined ? kept : PIECE)) await flush();
    },
    async *read() {
      if (descriptor === undefined) {
        yield* parts;
        return;
      }
      if (held > 0) await flush();
      yield* readRange(descriptor, 0, length);
    },
    async close() {
      parts = [];
      if (descriptor !== undefined) await closeDescriptor(descriptor);
      descriptor = undefined;
    },
  };
}
