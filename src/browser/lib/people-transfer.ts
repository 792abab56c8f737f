import { toCsv } from '../logic/csv.js';
import { messageOf } from './api.js';
import { element } from './dom.js';
import { words } from './i18n.js';
import { everyone, type Person } from './people-api.js';
import { download, nameByTime } from './picture.js';
import { sendArchive } from './send-archive.js';
import { toast } from './toast.js';

const HEAD = ['faceid', 'groupid', 'userid', 'username', 'pictures', 'enrolledAt'];

/** Saves people as a file that spreadsheets open. */
export function saveAsCsv(people: readonly Person[]): void {
  const rows = people.map((each) => [
    each.faceid,
    each.groupid,
    each.userid,
    each.username,
    each.faces,
    each.enrolledAt,
  ]);
  download(new Blob([toCsv([HEAD, ...rows])], { type: 'text/csv' }), `${nameByTime()}.csv`);
}

/** Saving everyone as CSV and importing an archive, with how far it is in `#importing`. */
export function createTransfer(onImported: () => Promise<void>) {
  const progress = element('importing', HTMLElement);
  const file = element('import-file', HTMLInputElement);
  const say = (text: string) => (progress.textContent = text);

  async function during(run: () => Promise<void>): Promise<void> {
    progress.hidden = false;
    try {
      await run();
    } catch (error) {
      toast(messageOf(error), { kind: 'bad', time: Infinity });
    } finally {
      progress.hidden = true;
      say('');
    }
  }

  file.addEventListener('change', () => {
    const chosen = file.files?.item(0);
    file.value = '';
    if (!chosen) return;
    void during(async () => {
      await sendArchive(chosen, say);
      toast(words.imported, { kind: 'good' });
      await onImported();
    });
  });

  return {
    chooseArchive: () => file.click(),
    saveEveryone(filters: Parameters<typeof everyone>[0]): void {
      void during(async () => {
        saveAsCsv(await everyone(filters, (sofar, total) => say(words.collecting(sofar, total))));
      });
    },
  };
}
