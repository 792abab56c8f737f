import { type GalleryChange, faceidsOf, NO_PUBLISHER, type Publisher } from '../events/event.js';
import { isStoreTrouble } from '../platform/files/obstacles.js';
import { createKeyedMutex } from '../platform/keyed-mutex.js';
import { announce, requireRoom, withStoreErrors } from './announce.js';
import { type Ask, createAsk } from './ask.js';
import type { Base } from './base/base.js';
import type { CurrentIndex } from './index/current-index.js';
import type { VectorIndex } from './index/vector-index.js';
import { createMemory, type KnownPeople, type Memory } from './memory.js';
import { findNearest, type SearchSources } from './search.js';
import type { EmbeddingStore, ReadPerson } from './store/store.js';
import type { Follower, Match, SearchOptions } from './types.js';

export interface GalleryDeps {
  /** The pack whose vectors these are. */
  pack: string;
  /** Give people with several faces a template as well. Default: only their faces are searched. */
  templates?: boolean;
  /** Closed with the gallery. */
  store: EmbeddingStore;
  /** Empty. Without a base it takes everybody, else those who are newer. */
  index: VectorIndex;
  /**
   * Everybody as of a position of the event log that is followed from there; then nobody is read from the store at the
   * start. The gallery's own from when it is made: closed with it, or when another takes its place.
   */
  base?: Base;
  /**
   * Compares a base with the store, after events were lost, and swaps it for one that is as the store. False: that is not
   * possible, so that everybody has to be read, as without this.
   */
  reconcile?: () => Promise<boolean>;
  /** Publishes changes to other processes. Default: there are none. */
  publisher?: Publisher;
  /** Applies what other processes have published by now. Default: nothing. */
  catchUp?: () => Promise<void>;
  /** Called when the store can no longer be written, and when it can again. */
  warn?: (message: string) => void;
}

/** What an event says of the people whom it makes us reload. */
export interface News {
  /** Somebody who is not there was, and may be in a base that was made meanwhile. */
  isHeard?: boolean;
  /** The second has become the first. */
  hasMoved?: boolean;
}

const GROUPS_KEY = ' groups';

/** What differs between a gallery in memory and one that is elsewhere. */
export interface CoreParts {
  memory: KnownPeople;
  nearest: (embedding: Float32Array, k: number, options?: SearchOptions) => Promise<Match[]>;
  /** Reads a person for memory, where that needs no vectors. */
  readRecent?: (faceid: string) => Promise<ReadPerson | undefined>;
  /** Which of these the store has, where memory does not know everybody. */
  there?: (faceids: readonly string[]) => Promise<ReadonlySet<string>>;
}

/** What the operations share: memory, the store, and the steps of a change to both. */
export interface Core extends ReturnType<typeof createParts> {
  ask: Ask;
}

/** Of a gallery in memory. */
export interface MemoryCore extends Core {
  memory: Memory;
}

export function createCore(deps: GalleryDeps & { index: CurrentIndex }): MemoryCore {
  const { index, store, templates = false } = deps;
  const memory = createMemory(index, templates, deps.base);
  const sources: SearchSources = {
    memory,
    index,
    read: (faceid) => store.readPerson(faceid, new Set()),
  };
  const core = createCoreOver(deps, {
    memory,
    nearest: (embedding, k, options = {}) => findNearest(sources, embedding, k, options),
  });
  return { ...core, memory };
}

export function createCoreOver(deps: Pick<GalleryDeps, 'store' | 'publisher'>, over: CoreParts): Core {
  const parts = createParts(deps, over);
  return { ...parts, ask: createAsk(parts) };
}

function createParts(
  { store, publisher = NO_PUBLISHER }: Pick<GalleryDeps, 'store' | 'publisher'>,
  { memory, nearest, readRecent, there }: CoreParts,
) {
  const mutex = createKeyedMutex();
  const listeners = new Set<(change: GalleryChange) => void>();
  const followers = new Set<Follower>();
  let failed: () => void = () => undefined;
  let threshold: number | undefined;

  const tell = (change: GalleryChange) => {
    for (const listener of listeners) listener(change);
  };

  /** Tells the followers that memory may know these people otherwise now. */
  const show = (faceids: readonly string[]) => {
    for (const faceid of faceids) for (const { one } of followers) one(faceid, memory.person(faceid));
  };

  /**
   * Reads a person with the vectors that memory needs.
   * @param known ids of faces whose vectors it has
   * @param without ID of a face to leave out
   */
  async function read(
    faceid: string,
    known: ReadonlySet<string>,
    without?: string,
  ): Promise<ReadPerson | undefined> {
    const readBut = async (ids: ReadonlySet<string>) => {
      const person = await (readRecent ? readRecent(faceid) : store.readPerson(faceid, ids));
      return person && { ...person, faces: person.faces.filter(({ id }) => id !== without) };
    };
    const person = await readBut(known);
    return person && memory.lacksVectors(person) ? readBut(new Set([without ?? ''])) : person;
  }

  /**
   * Reloads these people from the store, or the groups and the threshold when none is named. The caller holds their keys.
   */
  async function reload(
    faceids: readonly string[],
    { isHeard = false, hasMoved = false }: News = {},
  ): Promise<void> {
    if (faceids.length === 0) {
      memory.setGroups(await store.readGroups());
      threshold = await store.readThreshold();
    }
    const known = new Set(faceids.flatMap((faceid) => [...memory.faceIds(faceid)]));
    const people: (ReadPerson | undefined)[] = [];
    // The old place of a moved person first: somebody who moves meanwhile is read twice rather than not at all.
    for (let i = faceids.length - 1; i >= 0; i--) people[i] = await read(faceids[i], known);
    // Without waiting in between, so that no search sees half of a move.
    const to = faceids.at(0) ?? '';
    const from = faceids.at(1);
    const wasThere = from !== undefined && (hasMoved || memory.has(from));
    for (const [i, faceid] of faceids.entries()) {
      if (people[i] || !isHeard) memory.setPerson(faceid, people[i]);
      else memory.drop(faceid);
    }
    if (wasThere) memory.succeed(from, to);
    show(faceids);
  }

  /** Those of these who are not there. The caller holds their keys. */
  async function absent(faceids: readonly string[]): Promise<Set<string>> {
    const unknown = faceids.filter((faceid) => !memory.has(faceid));
    const found = there && unknown.length > 0 ? await withStoreErrors(there(unknown)) : undefined;
    return new Set(unknown.filter((faceid) => !found?.has(faceid)));
  }

  const keysOf = (faceids: readonly string[]) => (faceids.length > 0 ? faceids : [GROUPS_KEY]);

  async function changeAll<T>(
    faceids: readonly string[],
    check: () => Promise<readonly GalleryChange[]>,
    write: () => Promise<() => T>,
  ): Promise<T> {
    return mutex.run(keysOf(faceids), async () => {
      const planned = await check();
      if (planned.length === 0) return (await write())();
      try {
        await requireRoom(store, planned);
        const reloadAll = async () => {
          for (const change of planned) await reload(faceidsOf(change)).catch(() => undefined);
        };
        const apply = await announce(publisher, planned, write, reloadAll);
        const result = apply();
        show(planned.flatMap(faceidsOf));
        for (const change of planned) tell(change);
        return result;
      } catch (error) {
        if (isStoreTrouble(error)) failed();
        throw error;
      }
    });
  }

  return {
    store,
    memory,
    mutex,
    tell,
    read,
    reload,
    absent,

    nearest,

    /** As `reload`, waiting for this process's own changes. */
    lockAndReload: (faceids: readonly string[], news?: News): Promise<void> =>
      mutex.run(keysOf(faceids), () => reload(faceids, news)),

    /**
     * Makes a change: checks, publishes, writes, applies it to memory and calls the listeners. When it fails after it
     * was published, the store may hold a part of it: memory is reloaded, here and in the other workers.
     * @param check throws when the change is not possible; may read the store
     * @param write changes the store, and returns what applies the change to memory, at once and without failing
     */
    change<T>(planned: GalleryChange, check: () => unknown, write: () => Promise<() => T>): Promise<T> {
      return changeAll(
        faceidsOf(planned),
        async () => {
          await check();
          return [planned];
        },
        write,
      );
    },

    /**
     * As `change`, of many people at once, which is many times faster.
     * @param faceids of all of them
     * @param check which changes are made, perhaps none
     */
    changeAll,
    /** The naming threshold that somebody chose; undefined: none. */
    threshold: (): number | undefined => threshold,
    setThreshold(identical: number | undefined): void {
      threshold = identical;
    },

    /** @param listener called when a change could not be written */
    onFailure(listener: () => void): void {
      failed = listener;
    },

    follow(follower: Follower): () => void {
      followers.add(follower);
      return () => followers.delete(follower);
    },

    /** Tells the followers that memory may know anybody otherwise now. */
    showAll(): void {
      for (const { all } of followers) all();
    },

    subscribe(listener: (change: GalleryChange) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
