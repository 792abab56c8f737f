import { createUndoQueue, UNDO_WITHIN } from '../logic/pending.js';
import { couldWait, messageOf } from './api.js';
import { words } from './i18n.js';
import { beforeSignOut } from './session.js';
import { toast } from './toast.js';

const queue = createUndoQueue({
  schedule(run, delay) {
    const timer = window.setTimeout(run, delay);
    return () => window.clearTimeout(timer);
  },
});
window.addEventListener('pagehide', () => queue.flush());
/** Changes that the server is being told of. */
const running = new Set<Promise<void>>();
// Afterwards nobody may make them any more.
beforeSignOut(async () => {
  queue.flush();
  await Promise.all(running);
});

/** What can be undone at present, the latest last: for Ctrl+Z. */
const undoable: (() => void)[] = [];
/** Changes that failed and wait for somebody to try again. */
const failed = new Set<symbol>();

document.addEventListener('keydown', (event) => {
  if (event.key.toLowerCase() !== 'z' || event.shiftKey || !(event.ctrlKey || event.metaKey)) return;
  // There it takes back what was typed.
  if (event.target instanceof Element && event.target.closest('input:not([type="checkbox"]), textarea'))
    return;
  const latest = undoable.at(-1);
  if (!latest) return;
  event.preventDefault();
  latest();
});
window.addEventListener('beforeunload', (event) => {
  if (failed.size > 0) event.preventDefault();
});

/** Offers to undo something for ten seconds. @returns takes the offer away */
function offer(text: string, undo: () => void): () => void {
  const withdraw = () => {
    window.clearTimeout(timer);
    const at = undoable.indexOf(take);
    if (at >= 0) undoable.splice(at, 1);
    dismiss();
  };
  const take = () => {
    withdraw();
    undo();
  };
  undoable.push(take);
  const action = { label: words.undo, run: take };
  const dismiss = toast(text, { time: UNDO_WITHIN, countdown: true, action });
  const timer = window.setTimeout(withdraw, UNDO_WITHIN);
  return withdraw;
}

/** Says that something failed, and offers to try it again where that may help. */
function offerAgain(text: string, error: unknown, run: () => void): void {
  const message = `${text} ${messageOf(error)}`;
  if (!couldWait(error)) {
    toast(message, { kind: 'bad', time: Infinity });
    return;
  }
  const key = Symbol('failed');
  failed.add(key);
  const again = () => {
    failed.delete(key);
    run();
  };
  toast(message, { kind: 'bad', time: Infinity, action: { label: words.tryAgain, run: again } });
}

export type Settled = 'done' | 'undone' | 'failed';

interface Change {
  /** Says that it is done, although it is not yet. */
  text: string;
  /** Says that it could not be done. */
  failed: string | (() => string);
  /** Does it; told whether the page is being left. */
  run: (leaving: boolean) => Promise<void>;
  /** Called after it was done, undone or refused, so that the page shows the outcome. */
  settled: (how: Settled) => void;
}

/**
 * Does something in ten seconds, and offers to undo it until then. What fails because the server is away can be tried
 * again.
 */
export function doUnlessUndone({ text, failed: refused, run, settled }: Change): void {
  const perform = (leaving: boolean) => {
    const job = run(leaving).then(
      () => settled('done'),
      (error: unknown) => {
        settled('failed');
        offerAgain(typeof refused === 'string' ? refused : refused(), error, () => perform(false));
      },
    );
    running.add(job);
    void job.finally(() => running.delete(job));
  };
  const pending = queue.add(
    (leaving) => {
      withdraw();
      perform(leaving);
    },
    () => settled('undone'),
  );
  const withdraw = offer(text, () => pending.undo());
}

/** For what the server has done already: offers for ten seconds to do the opposite. */
export function offerUndo(text: string, undo: () => Promise<void>): void {
  const perform = () => {
    undo().catch((error: unknown) => offerAgain(words.notUndone, error, perform));
  };
  offer(text, perform);
}
