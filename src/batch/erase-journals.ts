/** Takes people who are deleted out of the journals of batches, which name their faces. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Eraser } from '../gallery/erased.js';
import type { Person } from '../gallery/types.js';
import { namesIn, replaceFile, unlessMissing } from '../platform/files/durable.js';
import { createKeyedMutex } from '../platform/keyed-mutex.js';

/** Deletions that come together share one reading of the files. */
interface Pass {
  texts: Set<string>;
  done: Promise<number>;
}

/**
 * Erases lines about people from the journals of a folder (journal.ts). What else goes with them costs a run its time only:
 * a journal that a batch is writing meanwhile loses the lines of that run.
 */
export function createJournalEraser(folder: string): Eraser {
  const mutex = createKeyedMutex();
  let next: Pass | undefined;

  async function erase(texts: ReadonlySet<string>): Promise<number> {
    let count = 0;
    for (const name of await namesIn(folder)) {
      if (!name.endsWith('.jsonl')) continue;
      const file = path.join(folder, name);
      const lines = (await unlessMissing(readFile(file, 'utf8')))?.split('\n') ?? [];
      const left = lines.filter((line) => !namesOneOf(line, texts));
      if (left.length === lines.length) continue;
      count += lines.length - left.length;
      await replaceFile(file, left.join('\n'), { mode: 0o600 });
    }
    return count;
  }

  return {
    async before(people) {
      const texts = people.flatMap(textsOf);
      if (texts.length === 0 || (await namesIn(folder)).length === 0) return {};
      if (!next) {
        const mine: Pass = { texts: new Set(), done: Promise.resolve(0) };
        mine.done = mutex.run('pass', () => {
          next = undefined;
          return erase(mine.texts);
        });
        next = mine;
      }
      for (const text of texts) next.texts.add(text);
      const count = await next.done;
      return count > 0 ? { journalLines: count } : {};
    },
  };
}

/** What a face's ID begins with, and what it ends with: the first changes when a person moves, the other never. */
const textsOf = ({ faceid, faces }: Pick<Person, 'faceid' | 'faces'>): string[] => [
  faceid,
  ...faces.map(({ id }) => endOf(id)),
];

const endOf = (id: string) => id.slice(id.lastIndexOf('_', id.lastIndexOf('_', id.lastIndexOf('_') - 1) - 1));

/** @param line `{"face":"staff-ada_20260131_090000_m0123456789",...}` */
function namesOneOf(line: string, texts: ReadonlySet<string>): boolean {
  const face = /"face":"([^"]*)"/.exec(line)?.[1];
  if (face === undefined) return false;
  const end = endOf(face);
  return texts.has(end) || texts.has(face.slice(0, face.length - end.length));
}
