import { Readable } from 'node:stream';

/** Text that is collected before it is sent, characters. */
const CHUNK = 65_536;

/**
 * A JSON array as a stream, for a list without pages in somebody else's API: a million entries are never in memory at
 * once, nor written in one go.
 * @param around what stands before the array and behind it
 */
export function jsonList<T>(
  things: AsyncIterable<T>,
  toEntry: (thing: T) => unknown,
  around: { before: string; behind: string } = { before: '', behind: '' },
): Readable {
  async function* write(): AsyncGenerator<string> {
    let text = `${around.before}[`;
    let isFirst = true;
    for await (const thing of things) {
      text += `${isFirst ? '' : ','}${JSON.stringify(toEntry(thing))}`;
      isFirst = false;
      if (text.length < CHUNK) continue;
      yield text;
      text = '';
    }
    yield `${text}]${around.behind}`;
  }
  return Readable.from(write(), { objectMode: false });
}
