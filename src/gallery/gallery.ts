import {
  type GalleryChange,
  type GalleryEvent,
  faceidsOf,
  NO_PUBLISHER,
  type Publisher,
} from '../events/event.js';
import { isStoreTrouble } from '../platform/files/obstacles.js';
import { announce, requireRoom } from './announce.js';
import { createGroupOperations } from './group-operations.js';
import { createCurrentIndex } from './index/current-index.js';
import type { VectorIndex } from './index/vector-index.js';
import { createMemory } from './memory.js';
import { createPersonOperations } from './person-operations.js';
import { findNearest } from './search.js';
import { createSerialiser } from './serialiser.js';
import { watchStore } from './store/store-watch.js';
import type { EmbeddingStore, ReadPerson } from './store/store.js';
import type { Gallery } from './types.js';

export interface GalleryDeps {
  /** The pack whose vectors these are. */
  pack: string;
  /** People with several faces have a template, too. Left out: they are found at their faces alone. */
  templates?: boolean;
  /** Closed with the gallery. */
  store: EmbeddingStore;
  index: VectorIndex;
  /** Where changes are announced to other processes; left out: there are none. */
  publisher?: Publisher;
  /** Told when the store cannot be written any more. */
  warn?: (message: string) => void;
}

/** A gallery that other processes change, too. */
export interface LiveGallery extends Gallery {
  /** Takes over what another worker did. Safe to repeat. Resolves when this process's index has it. */
  apply(event: GalleryEvent): Promise<void>;
  /** Looks what became of a change that was begun and never closed, and finishes it where that is possible. */
  settle(event: GalleryEvent): Promise<void>;
  /** Compares everything with the store: for when events were missed. */
  reload(): Promise<void>;
}

/** What the operations share. */
export type Core = ReturnType<typeof createCore>;

/**
 * Loads the store into the index and serves from memory from then on. A change is written to the store before it
 * shows in memory, and changes to one person happen one after another. Of other workers' changes only *who* is taken
 * from the event; what became of the person is read from the store, so that events may come twice or late.
 */
export async function createGallery(deps: GalleryDeps): Promise<LiveGallery> {
  const { pack, store, warn = () => undefined } = deps;
  const index = createCurrentIndex(deps.index);
  const core = createCore({ ...deps, index });
  const { memory, serialiser } = core;
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
      await serialiser.idle();
      await watch.close();
      await store.close();
    },
  };
}

/** Events whose ids are kept to know them again. */
const REMEMBERED = 4096;
const GROUPS_KEY = ' groups';

function createCore({ store, index, publisher = NO_PUBLISHER, templates = false }: GalleryDeps) {
  const memory = createMemory(index, templates);
  const serialiser = createSerialiser();
  const listeners = new Set<(change: GalleryChange) => void>();
  let failed: () => void = () => undefined;

  const tell = (change: GalleryChange) => {
    for (const listener of listeners) listener(change);
  };

  /**
   * A person with the vectors that memory needs. @param known ids of faces whose vectors it has
   * @param without a face that is left out
   */
  async function read(
    faceid: string,
    known: ReadonlySet<string>,
    without?: string,
  ): Promise<ReadPerson | undefined> {
    const readBut = async (ids: ReadonlySet<string>) => {
      const person = await store.readPerson(faceid, ids);
      return person && { ...person, faces: person.faces.filter(({ id }) => id !== without) };
    };
    const person = await readBut(known);
    return person && memory.lacksVectors(person) ? readBut(new Set([without ?? ''])) : person;
  }

  /** Makes memory what the store says of these people; of the groups when none is named. Call it holding their keys. */
  async function look(faceids: readonly string[]): Promise<void> {
    if (faceids.length === 0) memory.setGroups(await store.readGroups());
    const known = new Set(faceids.flatMap((faceid) => [...memory.faceIds(faceid)]));
    const people: (ReadPerson | undefined)[] = [];
    // Where a moved person was, then where they went to: who is being moved at this moment is seen twice, never not at all.
    for (let i = faceids.length - 1; i >= 0; i--) people[i] = await read(faceids[i], known);
    // All at once, so that nobody is moved before the eyes of a search.
    const to = faceids.at(0) ?? '';
    const from = faceids.at(1);
    const moved = from === undefined ? undefined : memory.people.get(from);
    faceids.forEach((faceid, i) => memory.match(faceid, people[i]));
    memory.succeed(moved, to);
  }

  const keysOf = (faceids: readonly string[]) => (faceids.length > 0 ? faceids : [GROUPS_KEY]);

  return {
    store,
    memory,
    serialiser,
    tell,
    read,
    look,

    nearest: (embedding: Float32Array, k: number) => findNearest(memory, index, embedding, k, {}),

    /** As `look`, in turn with this process's own changes. */
    follow: (faceids: readonly string[]): Promise<void> =>
      serialiser.run(keysOf(faceids), () => look(faceids)),

    /**
     * One change from beginning to end: checked, announced, written, told, shown. When it fails after it was announced
     * nobody knows how far it came: memory is made what the store says, and the other workers do the same.
     * @param check throws when the change cannot be; may look into the store
     * @param write changes the store; @returns what to show in memory, at once and without failing
     */
    change<T>(planned: GalleryChange, check: () => unknown, write: () => Promise<() => T>): Promise<T> {
      const faceids = faceidsOf(planned);
      return serialiser.run(keysOf(faceids), async () => {
        await check();
        try {
          await requireRoom(store, planned);
          const show = await announce(publisher, planned, write, () => look(faceids).catch(() => undefined));
          const shown = show();
          tell(planned);
          return shown;
        } catch (error) {
          if (isStoreTrouble(error)) failed();
          throw error;
        }
      });
    },

    /** @param listener told when a change could not be written */
    onFailure(listener: () => void): void {
      failed = listener;
    },

    subscribe(listener: (change: GalleryChange) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
