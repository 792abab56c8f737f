import { createUndoQueue, UNDO_WITHIN } from '../logic/pending.js';
import { messageOf } from './api.js';
import { words } from './i18n.js';
import { toast } from './toast.js';

const queue = createUndoQueue({
  schedule(run, delay) {
    const timer = window.setTimeout(run, delay);
    return () => window.clearTimeout(timer);
  },
});
window.addEventListener('pagehide', () => queue.flush());

/**
 * Does something in ten seconds, and offers to undo it until then.
 * @param text says that it is done, although it is not yet
 * @param run does it; told whether the page is being left
 * @param settled called after it was done, undone or refused, so that the page shows the outcome
 */
export function doUnlessUndone(
  text: string,
  run: (leaving: boolean) => Promise<void>,
  settled: () => void,
): void {
  const pending = queue.add((leaving) => {
    run(leaving)
      .catch((error: unknown) => toast(messageOf(error), { kind: 'bad' }))
      .finally(settled);
  }, settled);
  toast(text, { time: UNDO_WITHIN, action: { label: words.undo, run: () => pending.undo() } });
}
