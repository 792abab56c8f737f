import { element } from './dom.js';
import { formatTime, words } from './i18n.js';
import { watchServer } from './server-watch.js';
import { toast } from './toast.js';

/**
 * Watches the server for a page that has the line "away": it says since when what is shown may be old.
 * @param loadedAt when what is shown was read, milliseconds since 1970; undefined: nothing is shown yet
 */
export function watchWithBanner(loadedAt: () => number | undefined, onBack: () => void) {
  const { dataset } = document.body;
  return watchServer({
    onAway() {
      const at = loadedAt();
      const text = at === undefined ? words.awayFromStart : words.awaySince(formatTime(at));
      element('away-text', HTMLElement).textContent = text;
      element('away', HTMLElement).hidden = false;
      dataset.server = 'gone';
    },
    onBack() {
      element('away', HTMLElement).hidden = true;
      dataset.server = 'open';
      toast(words.serverBack, { kind: 'good' });
      onBack();
    },
  });
}
