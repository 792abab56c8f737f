import { type GalleryChange, makesRoom, type Publisher } from '../events/event.js';
import { KaomonError } from '../platform/errors.js';
import { isFull, isStoreTrouble, obstacleOf, refusalOf } from '../platform/files/obstacles.js';
import { splitFaceId } from './ids.js';
import type { EmbeddingStore } from './store/store.js';

/** A store that cannot write (disk full, no rights, Redis gone) is the server's trouble, not the caller's picture. */
export async function kept<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    // A RangeError is a vector that is none: a fault of ours.
    if (cause instanceof KaomonError || cause instanceof RangeError) throw cause;
    throw refusalOf(obstacleOf(cause) ?? 'unreachable', cause);
  }
}

/**
 * Says what is about to change, changes it, says that it is done.
 * @param write changes the store
 * @param failed what to do first when it fails after it was announced: nobody knows then how far it came
 */
export async function announce<T>(
  publisher: Publisher,
  change: GalleryChange,
  write: () => Promise<T>,
  failed: () => Promise<void> = () => Promise.resolve(),
): Promise<T> {
  const begun = await kept(makesRoom(change) ? beginAnyway(publisher, change) : publisher.begin(change));
  try {
    const result = await kept(write());
    await kept(publisher.commit(begun, change));
    return result;
  } catch (error) {
    await failed();
    // Open changes are looked after by whoever saw them begin.
    if (!isStoreTrouble(error)) await publisher.abort(begun, change);
    throw error;
  }
}

/** Somebody is deleted also where there is no room to say so before: there is when it is done. */
async function beginAnyway(publisher: Publisher, change: GalleryChange): Promise<string> {
  try {
    return await publisher.begin(change);
  } catch (error) {
    if (!isFull(error)) throw error;
    return '';
  }
}

/**
 * Refuses before anything is written what there is no room for.
 * @throws KaomonError STORAGE_FULL, STORE_UNAVAILABLE
 */
export async function requireRoom(
  store: Pick<EmbeddingStore, 'obstacle'>,
  change: GalleryChange,
): Promise<void> {
  if (makesRoom(change)) return;
  const obstacle = await kept(store.obstacle());
  if (obstacle) throw refusalOf(obstacle);
}

/** What a command needs of a store that it fills: no more than what is announced. */
export type FillableStore = Pick<
  EmbeddingStore,
  'load' | 'readGroups' | 'readPerson' | 'keepPerson' | 'addFace' | 'createGroup' | 'close'
>;

/** A store whose additions running workers learn of, for commands that fill it without a gallery in memory. */
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
      await requireRoom(store, change);
      return announce(publisher, change, () => store.addFace(face, vector, extras));
    },
    async keepPerson(faceid, profile) {
      const groupid = splitFaceId(faceid)?.groupid ?? '';
      const change: GalleryChange = { kind: 'created', groupid, faceid, at: at() };
      await requireRoom(store, change);
      return announce(publisher, change, () => store.keepPerson(faceid, profile));
    },
    async createGroup(group) {
      const change: GalleryChange = { kind: 'group-created', groupid: group.groupid, at: at() };
      await requireRoom(store, change);
      return announce(publisher, change, () => store.createGroup(group));
    },
    close: () => store.close(),
  };
}
