import { type Obstacle, OBSTACLES, obstacleOf } from '../../platform/files/obstacles.js';
import type { EmbeddingStore } from './store.js';

/** How often to check whether a gallery can be written, milliseconds, so that readiness need not ask a disk. */
const EVERY = 10_000;

/**
 * Checks regularly whether a store can be written, before a change has to find out.
 * @param warn called when it no longer can, and when it can again
 */
export async function watchStore(store: Pick<EmbeddingStore, 'obstacle'>, warn: (message: string) => void) {
  let now: Obstacle | undefined;
  let checking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    const found = await store
      .obstacle({ tend: true })
      .catch((error: unknown) => obstacleOf(error) ?? 'unreachable');
    if (found !== now) warn(found ? OBSTACLES[found].message : 'The gallery can be written again.');
    now = found;
  }

  const check = (): Promise<void> => (checking ??= ask().finally(() => (checking = undefined)));

  await check();
  const timer = setInterval(() => void check(), EVERY);
  timer.unref();
  return {
    /** As of the last check. */
    obstacle: (): Obstacle | undefined => now,
    /** Checks now, after a failed write. */
    check,
    close(): Promise<void> {
      clearInterval(timer);
      return checking ?? Promise.resolve();
    },
  };
}
