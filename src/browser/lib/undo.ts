import { createPendings, UNDO_WITHIN } from '../logic/pending.js';
import { sentenceOf } from './api.js';
import { words } from './i18n.js';
import { toast } from './toast.js';

const pendings = createPendings({
  schedule(run, delay) {
    const timer = window.setTimeout(run, delay);
    return () => window.clearTimeout(timer);
  },
});
window.addEventListener('pagehide', () => pendings.flush());

/**
 * Does something ten seconds from now, with an offer to call it off.
 * @param text what is done, as if it were done already
 * @param run told whether the page is being left
 * @param settled after it was done, called off or refused: the page shows what is true
 */
export function doUnlessUndone(
  text: string,
  run: (leaving: boolean) => Promise<void>,
  settled: () => void,
): void {
  const pending = pendings.add((leaving) => {
    run(leaving)
      .catch((error: unknown) => toast(sentenceOf(error), { kind: 'bad' }))
      .finally(settled);
  }, settled);
  toast(text, { time: UNDO_WITHIN, action: { label: words.undo, run: () => pending.undo() } });
}
