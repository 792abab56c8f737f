import { type GalleryEvent, faceidsOf } from '../events/event.js';
import { createCore, type GalleryDeps } from './core.js';
import { createGroupOperations } from './group-operations.js';
import { createCurrentIndex } from './index/current-index.js';
import { createPeoplePages } from './people-pages.js';
import { createPersonOperations } from './person-operations.js';
import { findNearest } from './search.js';
import { watchStore } from './store/store-watch.js';
import type { Gallery } from './types.js';

/** A gallery that other processes change as well. */
export interface LiveGallery extends Gallery {
  /** Applies another worker's change. Safe to repeat. Resolves when this process's index has it. */
  apply(event: GalleryEvent): Promise<void>;
  /** Finishes, where possible, a change that was begun and never closed, and reloads the people it is about. */
  settle(event: GalleryEvent): Promise<void>;
  /** Reloads everything from the store, after events were missed. */
  reload(): Promise<void>;
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
  const contents = await store.load();
  const watch = await watchStore(store, warn);
  core.onFailure(() => void watch.check());
  memory.setGroups(contents.groups);
  for (const person of contents.people) memory.setPerson(person.faceid, person);

  const { people, everyone } = createPeoplePages(memory);

  /** The newest events of others that listeners were told of: an event may come again. */
  const told = new Set<string>();
  function remember(uid: string): void {
    told.add(uid);
    const [oldest] = told;
    if (told.size > REMEMBERED) told.delete(oldest);
  }

  return {
    groups: () => memory.groups(),
    ...createGroupOperations(core),

    people,
    everyone,
    group: (groupid) => core.ask.group(groupid),
    person: (faceid) => core.ask.person(faceid),
    current: (person) => memory.current(person),
    ...createPersonOperations(core),

    async nearest(embedding, k, options = {}) {
      if (options.faceid !== undefined) await core.ask.person(options.faceid);
      return findNearest(memory, index, embedding, k, options);
    },

    searched: (groups) => (groups ? memory.facesIn(groups) : memory.count().faces),

    subscribe: (listener) => core.subscribe(listener),
    follow: (listener) => core.follow(listener),
    catchUp: () => catchUp().catch(() => undefined),

    async apply(event) {
      if (event.kind === 'begun') return;
      const { kind, at, groupid, faceid, from, face } = event;
      // Also from a worker with another pack: people it deletes or moves are deleted or moved here.
      await core.lockAndReload(faceidsOf(event));
      if (kind === 'given-up' || told.has(event.uid)) return;
      // But the faces it adds are not searched here.
      if (event.pack !== pack && face !== undefined) return;
      remember(event.uid);
      core.tell({ kind, at, groupid, faceid, from, face });
    },

    async settle(event) {
      await store.recover();
      await core.lockAndReload(faceidsOf(event));
    },

    async reload() {
      await store.recover();
      const faceids = new Set(await store.list());
      for await (const { faceid } of everyone()) faceids.add(faceid);
      await core.lockAndReload([]);
      for (const faceid of faceids) await core.lockAndReload([faceid]);
    },

    damaged: () => store.damage.list(),

    info(groups) {
      const all = memory.groups();
      return {
        pack,
        people: groups ? memory.countPeople(groups) : memory.count().people,
        faces: groups ? memory.facesIn(groups) : memory.count().faces,
        groups: groups ? all.filter(({ groupid }) => groups.has(groupid)).length : all.length,
        // Which groups these belong to is not known.
        otherPacks: groups ? {} : contents.otherPacks,
        setAside: groups ? 0 : store.damage.count(),
        index: index.kind,
        obstacle: watch.obstacle(),
      };
    },

    async close() {
      await mutex.idle();
      await watch.close();
      await store.close();
    },
  };
}

/** How many event ids are remembered. */
const REMEMBERED = 4096;
