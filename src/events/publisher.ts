import { randomUUID } from 'node:crypto';
import { type GalleryChange, type GalleryEvent, makesRoom, type Publisher } from './event.js';
import type { AppendOptions, EventLog } from './log.js';

/** What was written to the store must get into the log, even if that takes the room kept aside. */
const EVEN_WHEN_FULL: AppendOptions = { evenWhenFull: true };

/** Publishes one worker's changes in the log. */
export function createPublisher(log: Pick<EventLog, 'append'>, worker: string, pack: string): Publisher {
  async function append(
    change: GalleryChange,
    more: Partial<GalleryEvent>,
    options: AppendOptions,
  ): Promise<string> {
    const uid = randomUUID();
    await log.append({ ...change, ...more, uid, worker, pack }, options);
    return uid;
  }

  return {
    begin(change) {
      // A new date: a change may have waited for its turn, and how long it may stay open counts from now.
      const at = new Date().toISOString();
      return append(change, { kind: 'begun', at }, { evenWhenFull: makesRoom(change) });
    },
    async commit(begun, change) {
      await append(change, { of: begun }, EVEN_WHEN_FULL);
    },
    async abort(begun, change) {
      await append(change, { kind: 'given-up', of: begun }, EVEN_WHEN_FULL).catch(() => undefined);
    },
  };
}
