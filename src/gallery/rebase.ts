import { nextTurn } from '../platform/turns.js';
import { withStoreErrors } from './announce.js';
import type { Base } from './base/base.js';
import type { MemoryCore } from './core.js';
import type { CurrentIndex } from './index/current-index.js';

/** A swap yields to the event loop after so many milliseconds. */
const SLICE = 2;

/** See {@link createRebase}. */
export type Rebase = ReturnType<typeof createRebase>;

/**
 * Swaps the base of a gallery for a newer one while it serves.
 * @param slice milliseconds after which it yields to the event loop; for tests
 */
export function createRebase(
  { memory, lockAndReload }: MemoryCore,
  index: Pick<CurrentIndex, 'ended'>,
  slice = SLICE,
) {
  /** The swaps, one after another. */
  let last: Promise<void> = Promise.resolve();
  let isClosing = false;
  const isOver = () => isClosing;

  /** Somebody in the overlay at a time, by faceid, in slices. @param work it may take the person out of the overlay */
  async function forOverlaid(work: (faceid: string) => void): Promise<void> {
    let began = performance.now();
    for (
      let next = memory.nextOverlaid('');
      next !== undefined && !isOver();
      next = memory.nextOverlaid(next)
    ) {
      work(next);
      if (performance.now() - began < slice) continue;
      await nextTurn();
      began = performance.now();
    }
  }

  async function swap(base: Base): Promise<void> {
    if (isOver()) return base.close();
    // Before they are compared: whoever changes meanwhile is told to both.
    memory.prepare(base);
    try {
      await forOverlaid((faceid) => memory.compare(faceid));
    } catch (error) {
      memory.abandon();
      await base.close();
      throw error;
    }
    if (isOver()) {
      memory.abandon();
      return base.close();
    }
    const old = memory.layer();
    memory.swap();
    // Those look into the old base, and find the people in the tail who are about to leave it.
    await index.ended();
    await old?.base.close();
    const others: string[] = [];
    await forOverlaid((faceid) => {
      if (!memory.settle(faceid)) others.push(faceid);
    });
    await reloadAll(others);
  }

  /** Those of whom base and overlay say different things: the store knows. */
  async function reloadAll(faceids: readonly string[]): Promise<void> {
    if (isOver()) return;
    await withStoreErrors(lockAndReload([]));
    for (const faceid of faceids) {
      if (isOver()) return;
      await withStoreErrors(lockAndReload([faceid]));
    }
  }

  return {
    /** @param base the gallery's own from now on */
    rebase(base: Base): Promise<void> {
      const swapping = last.then(() => swap(base));
      last = swapping.catch(() => undefined);
      return swapping;
    },

    /** Ends a swap that is under way, and closes the base when the searches that run have ended. */
    async close(): Promise<void> {
      isClosing = true;
      await last;
      await index.ended();
      await memory.layer()?.base.close();
    },
  };
}
