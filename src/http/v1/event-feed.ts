import type { EventState } from '../../gallery/open.js';
import type { Gallery, GalleryChange } from '../../gallery/types.js';

/** How long a change that the log has is held back until this worker's gallery has it too, milliseconds. */
const PATIENCE = 2000;
/** Changes that are remembered as told. */
const REMEMBERED = 4096;

/** Gets what happens to the gallery; each call is awaited before the next. */
export interface FeedListener {
  /** @param position after it; empty where there is no log */
  changed(change: GalleryChange, position: string): Promise<void> | void;
  /** The present position, and whether something before it was missed: events were trimmed, or are unreadable. */
  at(position: string, isLost: boolean): Promise<void> | void;
}

const keyOf = ({ kind, at, groupid, faceid, from, face }: GalleryChange) =>
  [kind, at, groupid, faceid, from, face].join(' ');

/**
 * The gallery's changes by their position in the event log, so that a follower can take up where it stopped, at any worker.
 * A change is handed over when this worker's gallery has it: who reads the person then finds what the event says.
 * @param events undefined: there is no log, and no position
 */
export function createEventFeed(
  gallery: Pick<Gallery, 'subscribe'>,
  events: Pick<EventState, 'follow' | 'pack'> | undefined,
) {
  const told = new Set<string>();
  const waiting = new Map<string, Set<() => void>>();
  if (events)
    gallery.subscribe((change) => {
      const key = keyOf(change);
      told.add(key);
      const [oldest] = told;
      if (told.size > REMEMBERED) told.delete(oldest);
      for (const go of waiting.get(key) ?? []) go();
    });

  function untilTold(change: GalleryChange): Promise<void> {
    const key = keyOf(change);
    if (told.has(key)) return Promise.resolve();
    return new Promise((resolve) => {
      const all = waiting.get(key) ?? new Set();
      waiting.set(key, all);
      const go = () => {
        clearTimeout(timer);
        all.delete(go);
        if (all.size === 0) waiting.delete(key);
        resolve();
      };
      // It may have been told before this worker began to remember, or never, where the gallery was read anew.
      const timer = setTimeout(go, PATIENCE);
      timer.unref();
      all.add(go);
    });
  }

  return {
    /** @param after a position; empty: from now on @returns ends it */
    follow(after: string, listener: FeedListener): () => void {
      if (!events) return gallery.subscribe((change) => void listener.changed(change, ''));
      let isLive = false;
      let isFirst = after === '';
      const following = events.follow(after, {
        async events(batch) {
          for (const { id, event } of batch) {
            const { kind, at, groupid, faceid, from, face, pack } = event;
            // As the gallery: faces that another pack adds are not searched here.
            if (kind === 'begun' || kind === 'given-up' || (pack !== events.pack && face !== undefined))
              continue;
            const change: GalleryChange = { kind, at, groupid, faceid, from, face };
            if (isLive) await untilTold(change);
            await listener.changed(change, id);
          }
        },
        async lost(position) {
          // Who begins has missed nothing.
          await listener.at(position, !isFirst);
          isFirst = false;
        },
        reached: () => void (isLive = true),
        trouble: () => undefined,
      });
      return () => void following.close().catch(() => undefined);
    },
  };
}
