import type { CameraTrouble } from './camera.js';
import { make } from './dom.js';
import { words } from './i18n.js';
import type { ConnectionState } from './server-connection.js';

/** Why the page does not work, for the person who can do something about it. */
export interface Trouble {
  /** For tests and styles. */
  kind: string;
  title: string;
  text: string;
  /** Offered where trying again may help. */
  retry?: () => void;
}

export function cameraTrouble(trouble: CameraTrouble, retry: () => void): Trouble {
  const texts: Record<CameraTrouble, { title: string; text: string }> = {
    refused: { title: words.cameraRefusedTitle, text: words.cameraRefused },
    busy: { title: words.cameraBusyTitle, text: words.cameraBusy },
    missing: { title: words.cameraMissingTitle, text: words.cameraMissing },
    insecure: { title: words.notSecureTitle, text: words.notSecure },
    ended: { title: words.cameraEndedTitle, text: words.cameraEnded },
  };
  return {
    kind: `camera-${trouble}`,
    ...texts[trouble],
    retry: trouble === 'insecure' ? undefined : retry,
  };
}

export function serverTrouble(state: ConnectionState): Trouble | undefined {
  if (state === 'busy') return { kind: 'server-busy', title: words.serverBusyTitle, text: words.serverBusy };
  if (state === 'gone') return { kind: 'server-gone', title: words.serverGoneTitle, text: words.serverGone };
  return undefined;
}

/** The message over the camera's picture that says what is wrong. */
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
