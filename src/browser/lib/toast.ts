import { make } from './dom.js';
import { words } from './i18n.js';

const SHOWN_FOR = 5000;
let container: HTMLElement | undefined;

interface ToastOptions {
  kind?: 'good' | 'bad';
  action?: { label: string; run: () => void };
  /** How long it is shown, milliseconds; Infinity: until somebody closes it. */
  time?: number;
  /** Shows how the time runs out. */
  countdown?: boolean;
}

/**
 * A short message at the bottom of the page, or of the dialog that is open, which goes by itself.
 * @returns takes it away
 */
export function toast(
  text: string,
  { kind, action, time = SHOWN_FOR, countdown = false }: ToastOptions = {},
): () => void {
  const shown = make('div', { className: `toast ${kind ?? ''}` }, make('span', {}, text));
  /** Where the keyboard came from. */
  let before: Element | undefined;
  shown.addEventListener('focusin', ({ relatedTarget }) => {
    if (relatedTarget instanceof Element && !shown.contains(relatedTarget)) before = relatedTarget;
  });
  const dismiss = () => {
    window.clearTimeout(timer);
    const hadFocus = shown.contains(document.activeElement);
    shown.remove();
    if (hadFocus && before instanceof HTMLElement && before.isConnected) before.focus();
  };
  if (action) {
    const run = () => {
      dismiss();
      action.run();
    };
    shown.append(make('button', { type: 'button', className: 'action', onclick: run }, action.label));
  }
  shown.append(
    make(
      'button',
      { type: 'button', className: 'quiet cross', ariaLabel: words.close, onclick: dismiss },
      '×',
    ),
  );
  if (countdown) {
    const bar = make('i', { className: 'countdown', ariaHidden: 'true' });
    bar.style.animationDuration = `${time}ms`;
    shown.append(bar);
  }
  container ??= make('div', { className: 'toasts', role: 'status' });
  raiseToasts();
  container.append(shown);
  const timer = Number.isFinite(time) ? window.setTimeout(dismiss, time) : undefined;
  return dismiss;
}

/**
 * Puts the messages where they can be seen and used: into the topmost dialog, since everything outside a modal dialog is
 * inert, or into what fills the screen. To be called when a dialog has been opened or closed.
 */
export function raiseToasts(): void {
  if (!container) return;
  const dialogs = document.querySelectorAll<HTMLDialogElement>('dialog:modal');
  const place = [...dialogs].at(-1) ?? document.fullscreenElement ?? document.body;
  if (container.parentElement !== place) place.append(container);
}
document.addEventListener('fullscreenchange', raiseToasts);
