import type { GalleryEvent } from './event.js';
import type { EventLog } from './log.js';

/** How many events are remembered as applied. */
const REMEMBERED = 4096;

export interface CatchUpOptions {
  log: Pick<EventLog, 'since'>;
  /** This worker's own name: its changes are not applied. */
  worker: string;
  /** Up to where the subscriber has applied everything. */
  position: () => string;
  /** Safe to repeat. */
  apply: (event: GalleryEvent) => Promise<void>;
}

/**
 * Makes what applies everything that the log holds by the time it is called, without waiting for the event manager: for a
 * caller who would be told otherwise that something is not there which another worker has just added. Rejects when the
 * log or the store cannot be read.
 */
export function createCatchUp({ log, worker, position, apply }: CatchUpOptions): () => Promise<void> {
  const applied = new Set<string>();
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  async function run(): Promise<void> {
    for (const event of await log.since(position())) {
      const { kind, uid } = event;
      if (event.worker === worker || kind === 'begun' || kind === 'given-up' || applied.has(uid)) continue;
      await apply(event);
      applied.add(uid);
      const [oldest] = applied;
      if (applied.size > REMEMBERED) applied.delete(oldest);
    }
  }

  // Whoever asks while the log is read waits for another reading, all of them for the same one.
  return () => {
    next ??= running
      .catch(() => undefined)
      .then(() => {
        running = run();
        next = undefined;
        return running;
      });
    return next;
  };
}
