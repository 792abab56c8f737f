import { randomUUID } from 'node:crypto';
import type { GalleryChange, GalleryEvent, Journal } from './event.js';
import type { EventLog } from './log.js';

/** Announces one worker's changes in the log. */
export function createJournal(log: Pick<EventLog, 'append'>, worker: string, pack: string): Journal {
  async function write(change: GalleryChange, more: Partial<GalleryEvent>): Promise<string> {
    const uid = randomUUID();
    await log.append({ ...change, ...more, uid, worker, pack });
    return uid;
  }

  return {
    // The log's clock starts now: a change may have waited for its turn.
    begin: (change) => write(change, { kind: 'begun', at: new Date().toISOString() }),
    async done(begun, change) {
      await write(change, { of: begun });
    },
    async giveUp(begun, change) {
      await write(change, { kind: 'given-up', of: begun }).catch(() => undefined);
    },
  };
}
