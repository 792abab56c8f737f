import { showAccount } from './account.js';
import { element } from './dom.js';
import { keepChosenLanguage, otherLanguage, switchLanguage } from './i18n.js';
import { watchSession } from './session.js';
import { keepOfflinePage } from './service-worker.js';

/** Brings what stands around every page to life; the header and the texts stand in its HTML (scripts/pages.mjs). */
export function openPage(): void {
  if (keepChosenLanguage()) return;
  element('language', HTMLButtonElement).addEventListener('click', () => switchLanguage(otherLanguage()));
  showAccount(element('account', HTMLElement));
  watchSession();
  keepOfflinePage();
}
