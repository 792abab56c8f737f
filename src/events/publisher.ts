import { randomUUID } from 'node:crypto';
import { type GalleryChange, type GalleryEvent, makeRoom, type Publisher } from './event.js';
import type { AppendOptions, EventLog } from './log.js';

/** What was written to the store must get into the log, even if that takes the room kept aside. */
const EVEN_WHEN_FULL: AppendOptions = { evenWhenFull: true };

/** Publishes one worker's changes in the log. */
export function createPublisher(log: Pick<EventLog, 'append'>, worker: string, pack: string): Publisher {
  async function append(
    changes: readonly GalleryChange[],
    more: (i: number) => Partial<GalleryEvent>,
    options: AppendOptions,
  ): Promise<string[]> {
    const events = changes.map((change, i): GalleryEvent => ({
      ...change,
      uid: randomUUID(),
      worker,
      pack,
      ...more(i),
    }));
    await log.append(events, options);
    return events.map(({ uid }) => uid);
  }

  return {
    begin(changes) {
      // A new date: a change may have waited for its turn, and how long it may stay open counts from now.
      const at = new Date().toISOString();
      return append(changes, (i) => ({ kind: 'begun', at, will: changes[i].kind }), {
        evenWhenFull: makeRoom(changes),
      });
    },
    async commit(begun, changes) {
      await append(changes, (i) => closing(begun.at(i)), EVEN_WHEN_FULL);
    },
    async abort(begun, changes) {
      await append(changes, (i) => ({ kind: 'given-up', of: begun[i] }), EVEN_WHEN_FULL).catch(
        () => undefined,
      );
    },
    async settle(begun, kind) {
      const closed = kind === 'given-up' ? { uid: randomUUID(), of: begun.uid } : closing(begun.uid);
      await log.append({ ...begun, will: undefined, kind, ...closed }, EVEN_WHEN_FULL);
    },
  };
}

/** The same for everybody who closes it. @param begun the uid of the beginning; undefined: the log had no room for it */
function closing(begun: string | undefined): Partial<GalleryEvent> {
  return begun === undefined ? {} : { uid: `${begun}-done`, of: begun };
}
