import type { CameraTrouble } from './camera.js';
import { make } from './dom.js';
import { words } from './i18n.js';
import type { LinkState } from './server-link.js';

/** What keeps the page from working, for a person who must do something about it. */
export interface Trouble {
  /** For tests and styles. */
  kind: string;
  title: string;
  text: string;
  /** Offered where trying again may help. */
  retry?: () => void;
}

export function cameraTrouble(trouble: CameraTrouble, retry: () => void): Trouble {
  const known: Record<CameraTrouble, [title: string, text: string]> = {
    refused: [words.cameraRefusedTitle, words.cameraRefused],
    busy: [words.cameraBusyTitle, words.cameraBusy],
    missing: [words.cameraMissingTitle, words.cameraMissing],
    insecure: [words.notSecureTitle, words.notSecure],
    ended: [words.cameraEndedTitle, words.cameraEnded],
  };
  const [title, text] = known[trouble];
  return { kind: `camera-${trouble}`, title, text, ...(trouble !== 'insecure' && { retry }) };
}

export function serverTrouble(state: LinkState): Trouble | undefined {
  if (state === 'busy') return { kind: 'server-busy', title: words.serverBusyTitle, text: words.serverBusy };
  if (state === 'gone') return { kind: 'server-gone', title: words.serverGoneTitle, text: words.serverGone };
  return undefined;
}

/** The place over the camera's picture where trouble is told. */
export function createNotice() {
  const root = make('div', { className: 'notice', hidden: true, role: 'alert' });
  return {
    root,
    show(trouble: Trouble | undefined): void {
      if (trouble?.kind === root.dataset.kind) return;
      root.hidden = trouble === undefined;
      root.replaceChildren();
      delete root.dataset.kind;
      if (!trouble) return;
      root.dataset.kind = trouble.kind;
      root.append(make('strong', {}, trouble.title), make('p', {}, trouble.text));
      const { retry } = trouble;
      if (!retry) return;
      root.append(make('button', { type: 'button', className: 'primary', onclick: retry }, words.tryAgain));
    },
  };
}
