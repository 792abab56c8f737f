import { randomUUID } from 'node:crypto';
import { type GalleryChange, type GalleryEvent, type Journal, makesRoom } from './event.js';
import type { AppendOptions, EventLog } from './log.js';

/** What was done has to be said, wherever the room for it comes from. */
const EVEN_WHEN_FULL: AppendOptions = { evenWhenFull: true };

/** Announces one worker's changes in the log. */
export function createJournal(log: Pick<EventLog, 'append'>, worker: string, pack: string): Journal {
  async function write(
    change: GalleryChange,
    more: Partial<GalleryEvent>,
    options?: AppendOptions,
  ): Promise<string> {
    const uid = randomUUID();
    await log.append({ ...change, ...more, uid, worker, pack }, options);
    return uid;
  }

  return {
    // The log's clock starts now: a change may have waited for its turn.
    begin: (change) =>
      write(change, { kind: 'begun', at: new Date().toISOString() }, { evenWhenFull: makesRoom(change) }),
    async done(begun, change) {
      await write(change, { of: begun }, EVEN_WHEN_FULL);
    },
    async giveUp(begun, change) {
      await write(change, { kind: 'given-up', of: begun }, EVEN_WHEN_FULL).catch(() => undefined);
    },
  };
}
