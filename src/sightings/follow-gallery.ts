import type { FastifyBaseLogger } from 'fastify';
import type { Gallery, GalleryChange } from '../gallery/types.js';
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

export type GalleryFollower = ReturnType<typeof followGallery>;

/**
 * Lets sightings follow what becomes of people, by whichever worker or program: whoever is deleted is erased, whoever is
 * moved or merged is renamed. In order, one after the other; what the store cannot do now is done later.
 */
export function followGallery({ gallery, store, observer, log }: FollowOptions) {
  const left: GalleryChange[] = [];
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
    await store.ask('erasePeople', people);
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
    async close(): Promise<void> {
      unsubscribe();
      await following;
    },
  };
}

/** A gallery whose changes of people are done when the sightings have followed them. */
export function withSightings(gallery: Gallery, { catchUp }: Pick<GalleryFollower, 'catchUp'>): Gallery {
  const after = async <R>(change: Promise<R>): Promise<R> => {
    const result = await change;
    await catchUp();
    return result;
  };
  const changed: Partial<Gallery> = {
    remove: (...args) => after(gallery.remove(...args)),
    removeGroup: (...args) => after(gallery.removeGroup(...args)),
    movePerson: (...args) => after(gallery.movePerson(...args)),
    mergePerson: (...args) => after(gallery.mergePerson(...args)),
  };
  // Not a copy: whatever the gallery does at the time of a call is done.
  return new Proxy(gallery, {
    get: (target, name): unknown => Reflect.get(changed, name) ?? Reflect.get(target, name),
  });
}
