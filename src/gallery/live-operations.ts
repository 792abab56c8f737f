/** What a gallery does alike whether everybody is in memory or elsewhere. */
import pMap from 'p-map';
import { type GalleryEvent, faceidsOf, type Publisher } from '../events/event.js';
import type { Settling } from '../events/open-changes.js';
import type { Core } from './core.js';
import { createCorrectionOperations } from './correction-operations.js';
import { createGroupOperations } from './group-operations.js';
import { createPersonOperations } from './person-operations.js';
import { createRestore } from './restore.js';
import { isThreshold } from './store/profile.js';
import type { Gallery } from './types.js';
import { wasDone } from './was-done.js';

/** People who are read at a time. */
const AT_ONCE = 32;
/** How many event ids are remembered. */
const REMEMBERED = 4096;

/** @param pages the gallery's lists of people */
export function createLiveOperations(core: Core, pages: Pick<Gallery, 'people' | 'everyone'>) {
  const { memory, store } = core;
  const { corrections } = memory;

  return {
    groups: () => memory.groups(),
    ...createGroupOperations(core, pages),
    people: pages.people,
    everyone: pages.everyone,
    group: (groupid) => core.ask.group(groupid),
    person: (faceid) => core.ask.person(faceid),
    ...createPersonOperations(core),
    ...createRestore(core),
    ...createCorrectionOperations(core),

    async nearest(embedding, k, options = {}) {
      if (options.faceid !== undefined) await core.ask.person(options.faceid);
      const search = (most: number) => core.nearest(embedding, most, options);
      if (options.faceid === undefined) return corrections.nearest(embedding, k, search);
      return (await search(k)).map((match) => {
        const ruling = corrections.ruling(match.person.faceid, embedding, match.distance);
        return ruling ? { ...match, correction: ruling.id } : match;
      });
    },

    threshold: () => core.threshold(),

    async setThreshold(identical) {
      if (identical !== undefined && !isThreshold(identical))
        throw new RangeError('A threshold is a squared L2 distance above 0, up to 4.');
      await core.change(
        { kind: 'threshold-changed', groupid: '', at: new Date().toISOString() },
        () => undefined,
        async () => {
          await store.saveThreshold(identical);
          return () => core.setThreshold(identical);
        },
      );
    },

    searched: (groups) => memory.count(groups).faces,
    subscribe: (listener) => core.subscribe(listener),
    follow: (follower) => core.follow(follower),
  } satisfies Partial<Gallery>;
}

/** Reads everybody who is corrected, of whom neither a base nor an engine says anything. */
export async function readCorrected({ store, memory, lockAndReload }: Core): Promise<void> {
  const faceids = new Set([...(await store.corrected()), ...memory.corrections.people()]);
  await pMap(faceids, (faceid) => lockAndReload([faceid]), { concurrency: AT_ONCE });
}

/**
 * Applies other workers' changes.
 * @param pack the gallery's
 * @param onReloaded called when those whom a change is about have been read anew, before listeners are told
 */
export function createApply(core: Core, pack: string, onReloaded: () => void = () => undefined) {
  /** The newest events of others that listeners were told of: an event may come again. */
  const told = new Set<string>();
  function remember(uid: string): void {
    told.add(uid);
    const [oldest] = told;
    if (told.size > REMEMBERED) told.delete(oldest);
  }

  return async (event: GalleryEvent): Promise<void> => {
    if (event.kind === 'begun') return;
    const { kind, at, groupid, faceid, from, face } = event;
    // Also from a worker with another pack: people it deletes or moves are deleted or moved here. A base may have shown
    // that before the event came.
    const hasMoved = (kind === 'moved' || kind === 'merged') && !told.has(event.uid);
    await core.lockAndReload(faceidsOf(event), { isHeard: true, hasMoved });
    onReloaded();
    if (kind === 'given-up' || told.has(event.uid)) return;
    // But the faces it adds are not searched here.
    if (event.pack !== pack && face !== undefined) return;
    remember(event.uid);
    core.tell({ kind, at, groupid, faceid, from, face });
  };
}

/**
 * Looks after a change that was begun and never closed: its process died, or lost the store.
 * @param pack the gallery's
 */
export function createSettle(core: Core, pack: string, publisher: Publisher | undefined) {
  const { store, memory } = core;
  return async (
    event: GalleryEvent,
    { isLast, isTold }: Settling = { isLast: false, isTold: false },
  ): Promise<void> => {
    await store.recover();
    await core.lockAndReload(faceidsOf(event), { isHeard: true });
    // What another pack's worker added is not in memory here; those of its own look after it.
    if (event.will === undefined || event.pack !== pack) return;
    const wasMade = isTold ? false : (wasDone(memory, { ...event, kind: event.will }) ?? isLast);
    const became = wasMade ? event.will : isLast ? 'given-up' : undefined;
    // Without the log it is tried once more, and by the next start.
    if (became) await publisher?.settle(event, became).catch(() => undefined);
  };
}
