import { type GalleryChange, faceidsOf, NO_PUBLISHER, type Publisher } from '../events/event.js';
import { isStoreTrouble } from '../platform/files/obstacles.js';
import { createKeyedMutex } from '../platform/keyed-mutex.js';
import { announce, requireRoom } from './announce.js';
import type { VectorIndex } from './index/vector-index.js';
import { createMemory } from './memory.js';
import { findNearest } from './search.js';
import type { EmbeddingStore, ReadPerson } from './store/store.js';

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

const GROUPS_KEY = ' groups';

/** What the operations share: memory, the store, and how a change goes through both. */
export type Core = ReturnType<typeof createCore>;

export function createCore({ store, index, publisher = NO_PUBLISHER, templates = false }: GalleryDeps) {
  const memory = createMemory(index, templates);
  const mutex = createKeyedMutex();
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
    mutex,
    tell,
    read,
    look,

    nearest: (embedding: Float32Array, k: number) => findNearest(memory, index, embedding, k, {}),

    /** As `look`, in turn with this process's own changes. */
    follow: (faceids: readonly string[]): Promise<void> => mutex.run(keysOf(faceids), () => look(faceids)),

    /**
     * One change from beginning to end: checked, announced, written, told, shown. When it fails after it was announced
     * nobody knows how far it came: memory is made what the store says, and the other workers do the same.
     * @param check throws when the change cannot be; may look into the store
     * @param write changes the store; @returns what to show in memory, at once and without failing
     */
    change<T>(planned: GalleryChange, check: () => unknown, write: () => Promise<() => T>): Promise<T> {
      const faceids = faceidsOf(planned);
      return mutex.run(keysOf(faceids), async () => {
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
