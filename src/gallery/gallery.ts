import { setImmediate as nextTurn } from 'node:timers/promises';
import { type GalleryEvent, faceidsOf } from '../events/event.js';
import type { Settling } from '../events/open-changes.js';
import pMap from 'p-map';
import type { Base } from './base/base.js';
import { createCore, type GalleryDeps } from './core.js';
import { createCorrectionOperations } from './correction-operations.js';
import { createGroupOperations } from './group-operations.js';
import { createCurrentIndex, type CurrentIndex } from './index/current-index.js';
import { createPeoplePages } from './people-pages.js';
import type { Memory } from './memory.js';
import { createPersonOperations } from './person-operations.js';
import { createRebase } from './rebase.js';
import { createRestore } from './restore.js';
import { wasDone } from './was-done.js';
import { isThreshold } from './store/profile.js';
import { watchStore } from './store/store-watch.js';
import type { Gallery, GalleryInfo } from './types.js';

/** A gallery that other processes change as well. */
export interface LiveGallery extends Gallery {
  /** Applies another worker's change. Safe to repeat. Resolves when this process's index has it. */
  apply(event: GalleryEvent): Promise<void>;
  /**
   * Finishes, where possible, a change that was begun and never closed, reloads the people it is about, and publishes that it
   * was made, where the store has it.
   */
  settle(event: GalleryEvent, how?: Settling): Promise<void>;
  /** Compares everybody with the store, after events were missed. */
  reload(): Promise<void>;
  /**
   * Swaps the base for a newer one, while serving. Whoever differs from it in memory is read from the store. Resolves when
   * the old one is closed and all that it allows is out of memory. One after another.
   * @param base the gallery's own from now on
   * @throws KaomonError STORE_UNAVAILABLE when somebody could not be read: the new base serves nevertheless
   */
  rebase(base: Base): Promise<void>;
}

/**
 * Loads the store into the index and serves from memory from then on. A change is written to the store before memory
 * shows it, and changes to one person happen one after another. Another worker's event only tells *whom* a change is
 * about; the person is reloaded from the store, so events may come twice or late.
 */
export async function createGallery(deps: GalleryDeps): Promise<LiveGallery> {
  const { pack, store, warn = () => undefined, catchUp = () => Promise.resolve() } = deps;
  const index = createCurrentIndex(deps.index);
  const core = createCore({ ...deps, index });
  const { memory, mutex } = core;
  const rebase = createRebase(core, index);
  let otherPacks = deps.base?.people.otherPacks ?? {};
  if (deps.base) {
    await store.prepare();
    await readCorrected();
  } else {
    const contents = await store.load();
    memory.setGroups(contents.groups);
    for (const [i, person] of contents.people.entries()) {
      if (i % SLICE === 0) await nextTurn();
      memory.setPerson(person.faceid, person);
    }
    ({ otherPacks } = contents);
  }
  core.setThreshold(await store.readThreshold());
  const watch = await watchStore(store, warn);
  core.onFailure(() => void watch.check());

  /** The newest events of others that listeners were told of: an event may come again. */
  const told = new Set<string>();
  function remember(uid: string): void {
    told.add(uid);
    const [oldest] = told;
    if (told.size > REMEMBERED) told.delete(oldest);
  }

  const pages = createPeoplePages(memory);
  const { people, everyone } = pages;

  /** Reads everybody who is corrected, of whom a base says nothing. */
  async function readCorrected(): Promise<void> {
    const faceids = new Set([...(await store.corrected()), ...memory.corrections.people()]);
    await pMap(faceids, (faceid) => core.lockAndReload([faceid]), { concurrency: AT_ONCE });
  }

  return {
    groups: () => memory.groups(),
    ...createGroupOperations(core, pages),

    people,
    everyone,
    group: (groupid) => core.ask.group(groupid),
    person: (faceid) => core.ask.person(faceid),
    current: (person) => memory.current(person),
    ...createPersonOperations(core),
    ...createRestore(core),
    ...createCorrectionOperations(core),
    copyVectors: (...asked) => memory.copyVectors(...asked),

    async nearest(embedding, k, options = {}) {
      if (options.faceid !== undefined) await core.ask.person(options.faceid);
      const { corrections } = memory;
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
    catchUp: () => catchUp().catch(() => undefined),

    async apply(event) {
      if (event.kind === 'begun') return;
      const { kind, at, groupid, faceid, from, face } = event;
      // Also from a worker with another pack: people it deletes or moves are deleted or moved here. A base may have shown
      // that before the event came.
      const hasMoved = (kind === 'moved' || kind === 'merged') && !told.has(event.uid);
      await core.lockAndReload(faceidsOf(event), { isHeard: true, hasMoved });
      if (kind === 'given-up' || told.has(event.uid)) return;
      // But the faces it adds are not searched here.
      if (event.pack !== pack && face !== undefined) return;
      remember(event.uid);
      core.tell({ kind, at, groupid, faceid, from, face });
    },

    async settle(event, { isLast, isTold } = { isLast: false, isTold: false }) {
      await store.recover();
      await core.lockAndReload(faceidsOf(event), { isHeard: true });
      // What another pack's worker added is not in memory here; those of its own look after it.
      if (event.will === undefined || event.pack !== pack) return;
      const wasMade = isTold ? false : (wasDone(memory, { ...event, kind: event.will }) ?? isLast);
      const became = wasMade ? event.will : isLast ? 'given-up' : undefined;
      // Without the log it is tried once more, and by the next start.
      if (became) await deps.publisher?.settle(event, became).catch(() => undefined);
    },

    async reload() {
      await store.recover();
      await core.lockAndReload([]);
      if (await deps.reconcile?.()) return readCorrected();
      const faceids = new Set(await store.list());
      for await (const { faceid } of everyone()) faceids.add(faceid);
      for (const faceid of faceids) await core.lockAndReload([faceid]);
    },

    damaged: () => store.damage.list(),

    info(groups) {
      const all = memory.groups();
      return {
        pack,
        ...memory.count(groups),
        groups: groups ? all.filter(({ groupid }) => groups.has(groupid)).length : all.length,
        corrections: memory.corrections.count(groups),
        // Which groups these belong to is not known.
        otherPacks: groups ? {} : otherPacks,
        setAside: groups ? 0 : store.damage.count(),
        index: memory.layer()?.base.vectors.kind ?? index.kind,
        ...(groups ? undefined : snapshotOf(memory, index)),
        obstacle: watch.obstacle(),
      };
    },

    async rebase(base) {
      const { otherPacks: others } = base.people;
      await rebase.rebase(base).finally(() => core.showAll());
      otherPacks = others;
    },

    async close() {
      await mutex.idle();
      await rebase.close();
      await watch.close();
      await store.close();
    },
  };
}

function snapshotOf(memory: Memory, { kind: newerIndex }: CurrentIndex): Pick<GalleryInfo, 'snapshot'> {
  const base = memory.layer()?.base;
  if (!base) return {};
  const { number } = base.people;
  return { snapshot: { number, recall: base.vectors.recall, newer: memory.overlaid(), newerIndex } };
}

/** People put into memory before anything else may run. */
const SLICE = 1000;
/** People who are read at a time. */
const AT_ONCE = 32;
/** How many event ids are remembered. */
const REMEMBERED = 4096;
