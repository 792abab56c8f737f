import { type GalleryChange, makeRoom, type Publisher } from '../events/event.js';
import { KaomonError } from '../platform/errors.js';
import { isFull, isStoreTrouble, obstacleOf, refusalOf } from '../platform/files/obstacles.js';
import { splitFaceId } from './ids.js';
import type { EmbeddingStore } from './store/store.js';

/** Turns a store's failure to write (disk full, no rights, Redis gone) into STORAGE_FULL or STORE_UNAVAILABLE. */
export async function withStoreErrors<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    // A RangeError means an invalid vector, which is a bug here and not the store's fault.
    if (cause instanceof KaomonError || cause instanceof RangeError) throw cause;
    throw refusalOf(obstacleOf(cause) ?? 'unreachable', cause);
  }
}

/**
 * Publishes that changes begin, makes them, and publishes that they are done.
 * @param write changes the store
 * @param failed called first when the changes fail after they were published, so that the store may hold a part of them
 */
export async function announce<T>(
  publisher: Publisher,
  changes: readonly GalleryChange[],
  write: () => Promise<T>,
  failed: () => Promise<void> = () => Promise.resolve(),
): Promise<T> {
  const begun = await withStoreErrors(
    makeRoom(changes) ? beginAnyway(publisher, changes) : publisher.begin(changes),
  );
  try {
    const result = await withStoreErrors(write());
    await withStoreErrors(publisher.commit(begun, changes));
    return result;
  } catch (error) {
    await failed();
    // Where the store has failed, the processes that saw the changes begin settle them later.
    if (!isStoreTrouble(error)) await publisher.abort(begun, changes);
    throw error;
  }
}

/** A deletion must work where the log has no room for its beginning: once it is done, there is room. */
async function beginAnyway(publisher: Publisher, changes: readonly GalleryChange[]): Promise<string[]> {
  try {
    return await publisher.begin(changes);
  } catch (error) {
    if (!isFull(error)) throw error;
    return [];
  }
}

/** Checks for room before anything is written. @throws KaomonError STORAGE_FULL, STORE_UNAVAILABLE */
export async function requireRoom(
  store: Pick<EmbeddingStore, 'obstacle'>,
  changes: readonly GalleryChange[],
): Promise<void> {
  if (makeRoom(changes)) return;
  const obstacle = await withStoreErrors(store.obstacle());
  if (obstacle) throw refusalOf(obstacle);
}

/** The part of a store that a command may use to fill it: reading, and the additions that are published. */
export type FillableStore = Pick<
  EmbeddingStore,
  'load' | 'readGroups' | 'readPerson' | 'keepPerson' | 'addFace' | 'createGroup' | 'close'
>;

/** Publishes a store's additions to running workers, for commands that fill it without a gallery in memory. */
export function announceAdditions(store: EmbeddingStore, publisher: Publisher): FillableStore {
  const at = () => new Date().toISOString();
  return {
    load: () => store.load(),
    readGroups: () => store.readGroups(),
    readPerson: (faceid, known) => store.readPerson(faceid, known),
    async addFace(face, vector, extras) {
      const { id, faceid } = face;
      const groupid = splitFaceId(faceid)?.groupid ?? '';
      const change: GalleryChange = { kind: 'enrolled', groupid, faceid, face: id, at: at() };
      await requireRoom(store, [change]);
      return announce(publisher, [change], () => store.addFace(face, vector, extras));
    },
    async keepPerson(faceid, profile) {
      const groupid = splitFaceId(faceid)?.groupid ?? '';
      const change: GalleryChange = { kind: 'created', groupid, faceid, at: at() };
      await requireRoom(store, [change]);
      return announce(publisher, [change], () => store.keepPerson(faceid, profile));
    },
    async createGroup(group) {
      const change: GalleryChange = { kind: 'group-created', groupid: group.groupid, at: at() };
      await requireRoom(store, [change]);
      return announce(publisher, [change], () => store.createGroup(group));
    },
    close: () => store.close(),
  };
}
