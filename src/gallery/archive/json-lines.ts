import { isUtf8 } from 'node:buffer';

const NEWLINE = 0x0a;

/** A value as one line of JSON, which escapes line breaks. */
export function toLine(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

/** Why lines cannot be used; its message follows the member's name. */
export class LineError extends Error {}

/**
 * Splits bytes into lines without their ends. A line is valid only until the next one is asked for.
 * @param mostBytes of one line; a longer one is not gathered
 * @throws LineError for a line that is too long, is not UTF-8, or does not end
 */
export async function* linesOf(chunks: AsyncIterable<Buffer>, mostBytes = Infinity): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let held = 0;
  let number = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      number += 1;
      const last = chunk.subarray(start, end);
      if (held + last.length > mostBytes) throw new LineError(`line ${number} is too long`);
      const line = held === 0 ? last : Buffer.concat([...parts, last]);
      if (!isUtf8(line)) throw new LineError(`line ${number} is not UTF-8`);
      parts = [];
      held = 0;
      yield line;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    held += chunk.length - start;
    if (held > mostBytes) throw new LineError(`line ${number + 1} is too long`);
  }
  if (held > 0) throw new LineError('its last line is cut off');
}
