import { make } from './dom.js';
import { words } from './i18n.js';

const SHOWN_FOR = 5000;
let container: HTMLElement | undefined;

interface ToastOptions {
  kind?: 'good' | 'bad';
  action?: { label: string; run: () => void };
  /** How long it is shown, milliseconds. */
  time?: number;
}

/** A short message at the bottom of the page, which goes by itself. */
export function toast(text: string, { kind, action, time = SHOWN_FOR }: ToastOptions = {}): void {
  const shown = make('div', { className: `toast ${kind ?? ''}` }, make('span', {}, text));
  const dismiss = () => {
    window.clearTimeout(timer);
    shown.remove();
  };
  if (action) {
    const run = () => {
      dismiss();
      action.run();
    };
    shown.append(make('button', { type: 'button', onclick: run }, action.label));
  }
  shown.append(
    make(
      'button',
      { type: 'button', className: 'quiet cross', ariaLabel: words.close, onclick: dismiss },
      '×',
    ),
  );
  container ??= document.body.appendChild(make('div', { className: 'toasts', role: 'status' }));
  container.append(shown);
  const timer = window.setTimeout(dismiss, time);
}
