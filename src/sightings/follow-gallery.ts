import type { FastifyBaseLogger } from 'fastify';
import { addErased, withChanged } from '../gallery/erased.js';
import { faceIdOf, splitFaceId } from '../gallery/ids.js';
import type { Erased, Gallery, GalleryChange } from '../gallery/types.js';
import { quietMessage } from '../platform/quiet-error.js';
import type { SightingObserver } from './observer.js';
import type { SightingStore } from './store/client.js';

/** The most changes that wait for the store; what becomes of more people is found by the retention. */
const MOST_WAITING = 100_000;
/** The most people who are erased in one transaction. */
const AT_ONCE = 500;

export interface FollowOptions {
  gallery: Pick<Gallery, 'subscribe' | 'person'>;
  store: Pick<SightingStore, 'ask'>;
  observer: Pick<SightingObserver, 'forget' | 'rename'>;
  log: Pick<FastifyBaseLogger, 'warn'>;
}

/** @param erased of this person, just now */
export type Counter = (faceid: string, erased: { sightings: number; pictures: number }) => void;

export type GalleryFollower = ReturnType<typeof followGallery>;

/**
 * Lets sightings follow what becomes of people, by whichever worker or program: whoever is deleted is erased, whoever is
 * moved or merged is renamed. In order, one after the other; what the store cannot do now is done later.
 */
export function followGallery({ gallery, store, observer, log }: FollowOptions) {
  const left: GalleryChange[] = [];
  const counters = new Set<Counter>();
  let following: Promise<void> = Promise.resolve();

  /**
   * Whose sightings are meant: whoever is enrolled by this ID by now, another worker's change having come late, came by
   * after it. Where nobody is, all are, whatever the clock was set to.
   */
  async function boundOf(faceid: string, at: string): Promise<{ before?: number }> {
    return (await gallery.person(faceid)) ? { before: Date.parse(at) } : {};
  }

  async function erase(changes: readonly GalleryChange[]): Promise<void> {
    for (const { faceid = '' } of changes) await observer.forget(faceid);
    const people: { faceid: string; before?: number }[] = [];
    for (const { faceid = '', at } of changes) people.push({ faceid, ...(await boundOf(faceid, at)) });
    const { each = [] } = await store.ask('erasePeople', people);
    for (const [i, { faceid }] of people.entries()) for (const count of counters) count(faceid, each[i]);
  }

  async function doLeft(): Promise<void> {
    while (left.length > 0) {
      const [{ kind, faceid = '', from = '', at }] = left;
      if (kind === 'removed') {
        const other = left.findIndex((change) => change.kind !== 'removed');
        const count = Math.min(other < 0 ? left.length : other, AT_ONCE);
        await erase(left.slice(0, count));
        left.splice(0, count);
      } else {
        await observer.rename(from, faceid);
        await store.ask('renamePerson', from, faceid, (await boundOf(from, at)).before);
        left.shift();
      }
    }
  }

  /** After what was begun before. @throws what the store throws */
  function catchUp(): Promise<void> {
    const doing = following.then(doLeft);
    following = doing.catch(() => undefined);
    return doing;
  }

  const unsubscribe = gallery.subscribe((change) => {
    const isGone = change.kind === 'removed' && change.faceid !== undefined;
    const isMoved = change.kind === 'moved' || change.kind === 'merged';
    if ((!isGone && !isMoved) || left.length >= MOST_WAITING) return;
    left.push(change);
    catchUp().catch((error: unknown) =>
      log.warn(
        { reason: quietMessage(error) },
        'Sightings could not follow a change of the gallery; it is tried again',
      ),
    );
  });

  return {
    /** Resolves when the sightings have followed every change so far. @throws KaomonError STORE_UNAVAILABLE, STORAGE_FULL */
    catchUp,
    /** Tells what is erased of whom. @returns ends it */
    count: (counter: Counter): (() => void) => {
      counters.add(counter);
      return () => counters.delete(counter);
    },
    async close(): Promise<void> {
      unsubscribe();
      await following;
    },
  };
}

/**
 * A gallery whose changes of people are done when the sightings have followed them; what it says it has erased counts them,
 * too.
 */
export function withSightings(
  gallery: Gallery,
  { catchUp, count }: Pick<GalleryFollower, 'catchUp' | 'count'>,
): Gallery {
  const after = async <R>(change: Promise<R>): Promise<R> => {
    const result = await change;
    await catchUp();
    return result;
  };
  const counted = async <R extends Erased | undefined>(
    isMeant: (faceid: string) => boolean,
    change: () => Promise<R>,
  ): Promise<R> => {
    const sum = { sightings: 0, sightingPictures: 0 };
    const end = count((faceid, { sightings, pictures }) => {
      if (!isMeant(faceid)) return;
      sum.sightings += sightings;
      sum.sightingPictures += pictures;
    });
    try {
      const erased = await after(change());
      if (erased) addErased(erased, sum);
      return erased;
    } finally {
      end();
    }
  };
  const changed: Partial<Gallery> = {
    remove: (groupid, userid) =>
      counted(
        (faceid) => faceid === faceIdOf(groupid, userid),
        () => gallery.remove(groupid, userid),
      ),
    removeIf: (faceid, isRight) =>
      counted(
        (gone) => gone === faceid,
        () => gallery.removeIf(faceid, isRight),
      ),
    removeGroup: (groupid, options) =>
      counted(
        (faceid) => splitFaceId(faceid)?.groupid === groupid,
        () => gallery.removeGroup(groupid, options),
      ),
    movePerson: (...args) => after(gallery.movePerson(...args)),
    mergePerson: (...args) => after(gallery.mergePerson(...args)),
  };
  return withChanged(gallery, changed);
}
