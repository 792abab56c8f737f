import { setImmediate as nextTurn } from 'node:timers/promises';
import type { GalleryEvent } from '../events/event.js';
import type { Settling } from '../events/open-changes.js';
import type { Base } from './base/base.js';
import { createCore, type GalleryDeps } from './core.js';
import { createCurrentIndex, type CurrentIndex } from './index/current-index.js';
import { createApply, createLiveOperations, createSettle, readCorrected } from './live-operations.js';
import { createPeoplePages } from './people-pages.js';
import type { Memory } from './memory.js';
import { createRebase } from './rebase.js';
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
    await readCorrected(core);
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

  const pages = createPeoplePages(memory);
  return {
    ...createLiveOperations(core, pages),
    current: (person) => memory.current(person),
    copyVectors: (...asked) => memory.copyVectors(...asked),
    catchUp: () => catchUp().catch(() => undefined),

    apply: createApply(core, pack),

    settle: createSettle(core, pack, deps.publisher),

    async reload() {
      await store.recover();
      await core.lockAndReload([]);
      if (await deps.reconcile?.()) return readCorrected(core);
      const faceids = new Set(await store.list());
      for await (const { faceid } of pages.everyone()) faceids.add(faceid);
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
