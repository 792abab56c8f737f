import { type Obstacle, OBSTACLES, obstacleOf } from '../../platform/files/obstacles.js';
import type { EmbeddingStore } from './store.js';

/** How often it is looked whether a gallery can be written, milliseconds: readiness must not have to ask a disk. */
const EVERY = 10_000;

/** Whether a store can be written, looked at before somebody has to find out; see {@link watchStore}. */
export type StoreWatch = Awaited<ReturnType<typeof watchStore>>;

/** @param warn told when it cannot be any more, and when it can again */
export async function watchStore(store: Pick<EmbeddingStore, 'obstacle'>, warn: (message: string) => void) {
  let now: Obstacle | undefined;
  let looking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    const found = await store
      .obstacle({ tend: true })
      .catch((error: unknown) => obstacleOf(error) ?? 'unreachable');
    if (found !== now) warn(found ? OBSTACLES[found].message : 'The gallery can be written again.');
    now = found;
  }

  const look = (): Promise<void> => (looking ??= ask().finally(() => (looking = undefined)));

  await look();
  const timer = setInterval(() => void look(), EVERY);
  timer.unref();
  return {
    /** As of the last look. */
    obstacle: (): Obstacle | undefined => now,
    /** Looks now: something could not be written. */
    look,
    close(): Promise<void> {
      clearInterval(timer);
      return looking ?? Promise.resolve();
    },
  };
}
