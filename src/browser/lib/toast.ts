import { make } from './dom.js';
import { words } from './i18n.js';

const SHOWN_FOR = 5000;
let shelf: HTMLElement | undefined;

function place(): HTMLElement {
  shelf ??= document.body.appendChild(make('div', { className: 'toasts', role: 'status' }));
  return shelf;
}

export interface ToastOptions {
  kind?: 'good' | 'bad';
  action?: { label: string; run: () => void };
  /** Milliseconds. */
  time?: number;
}

/** A short word at the page's foot. @returns takes it away at once */
export function toast(text: string, { kind, action, time = SHOWN_FOR }: ToastOptions = {}): () => void {
  const shown = make('div', { className: `toast ${kind ?? ''}` }, make('span', {}, text));
  const leave = () => {
    window.clearTimeout(timer);
    shown.remove();
  };
  if (action) {
    const run = () => {
      leave();
      action.run();
    };
    shown.append(make('button', { type: 'button', onclick: run }, action.label));
  }
  shown.append(
    make('button', { type: 'button', className: 'quiet cross', ariaLabel: words.close, onclick: leave }, '×'),
  );
  place().append(shown);
  const timer = window.setTimeout(leave, time);
  return leave;
}
