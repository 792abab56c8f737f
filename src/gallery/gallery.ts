import { type GalleryEvent, faceidsOf } from '../events/event.js';
import { createCore, type GalleryDeps } from './core.js';
import { createGroupOperations } from './group-operations.js';
import { createCurrentIndex } from './index/current-index.js';
import { createPersonOperations } from './person-operations.js';
import { findNearest } from './search.js';
import { watchStore } from './store/store-watch.js';
import type { Gallery } from './types.js';

/** A gallery that other processes change, too. */
export interface LiveGallery extends Gallery {
  /** Takes over what another worker did. Safe to repeat. Resolves when this process's index has it. */
  apply(event: GalleryEvent): Promise<void>;
  /** Looks what became of a change that was begun and never closed, and finishes it where that is possible. */
  settle(event: GalleryEvent): Promise<void>;
  /** Compares everything with the store: for when events were missed. */
  reload(): Promise<void>;
}

/**
 * Loads the store into the index and serves from memory from then on. A change is written to the store before it
 * shows in memory, and changes to one person happen one after another. Of other workers' changes only *who* is taken
 * from the event; what became of the person is read from the store, so that events may come twice or late.
 */
export async function createGallery(deps: GalleryDeps): Promise<LiveGallery> {
  const { pack, store, warn = () => undefined } = deps;
  const index = createCurrentIndex(deps.index);
  const core = createCore({ ...deps, index });
  const { memory, mutex } = core;
  const contents = await store.load();
  const watch = await watchStore(store, warn);
  core.onFailure(() => void watch.look());
  memory.setGroups(contents.groups);
  for (const person of contents.people) memory.match(person.faceid, person);

  /** Events of others that were told already, the newest: an event may come again, its listeners hear of it once. */
  const told = new Set<string>();
  function remember(uid: string): void {
    told.add(uid);
    const [oldest] = told;
    if (told.size > REMEMBERED) told.delete(oldest);
  }

  return {
    groups: () => memory.groups(),
    ...createGroupOperations(core),

    people: () => memory.inOrder(),
    person: (faceid) => memory.people.get(faceid),
    current: (person) => memory.current(person),
    ...createPersonOperations(core),

    nearest: (embedding, k, options = {}) => findNearest(memory, index, embedding, k, options),

    searched: (groups) => (groups ? memory.facesIn(groups) : memory.faces.size),

    subscribe: (listener) => core.subscribe(listener),

    async apply(event) {
      if (event.kind === 'begun') return;
      const { kind, at, groupid, faceid, from, face } = event;
      // Of another pack's worker, too: whom it deletes or moves is deleted or moved here.
      await core.follow(faceidsOf(event));
      if (kind === 'given-up' || told.has(event.uid)) return;
      // But a face that it has come to have is none of these.
      if (event.pack !== pack && face !== undefined) return;
      remember(event.uid);
      core.tell({
        kind,
        at,
        groupid,
        ...(faceid && { faceid }),
        ...(from && { from }),
        ...(face && { face }),
      });
    },

    async settle(event) {
      await store.recover();
      await core.follow(faceidsOf(event));
    },

    async reload() {
      await store.recover();
      const faceids = new Set([...(await store.list()), ...memory.people.keys()]);
      await core.follow([]);
      for (const faceid of faceids) await core.follow([faceid]);
    },

    damaged: () => store.damage.list(),

    info(groups) {
      const all = memory.groups();
      const whole = {
        ...(watch.obstacle() && { obstacle: watch.obstacle() }),
        ...{ pack, people: memory.people.size, faces: memory.faces.size, groups: all.length },
        ...{ otherPacks: contents.otherPacks, setAside: store.damage.count(), index: index.kind },
      };
      if (!groups) return whole;
      return {
        ...{ ...whole, people: memory.countPeople(groups), faces: memory.facesIn(groups) },
        groups: all.filter(({ groupid }) => groups.has(groupid)).length,
        // Nobody knows of which group they are.
        ...{ otherPacks: {}, setAside: 0 },
      };
    },

    async close() {
      await mutex.idle();
      await watch.close();
      await store.close();
    },
  };
}

/** Events whose ids are kept to know them again. */
const REMEMBERED = 4096;
