import { ApiError, call, messageOf } from '../lib/api.js';
import { element, make } from '../lib/dom.js';
import { formatDate, words } from '../lib/i18n.js';
import { type Key, openGroups, openLink, openNewKey, openRevoke } from '../lib/key-dialogs.js';
import { pageNeeds, session } from '../lib/session.js';
import { openPage } from '../lib/shell.js';
import { toast } from '../lib/toast.js';

/** Between two tries when the server does not answer, milliseconds. */
const AGAIN = 3000;

openPage();

const list = element('keys', HTMLUListElement);
const say = element('say', HTMLElement);
const more = element('new-key', HTMLButtonElement);
let ownName: string | undefined;

function fail(error: unknown): void {
  toast(messageOf(error), { kind: 'bad' });
}

async function load(): Promise<void> {
  try {
    const keys = await call<Key[]>('GET', '/api/v1/keys');
    list.replaceChildren(...keys.map(row));
    list.classList.remove('stale');
    say.textContent = '';
  } catch (error) {
    say.textContent = messageOf(error);
    // What is shown may no longer be so.
    list.classList.add('stale');
    if (error instanceof ApiError && (error.status === 0 || error.status >= 500))
      window.setTimeout(open, AGAIN);
  }
}

function row(key: Key): HTMLLIElement {
  const { name, role, groups, createdAt, lastUsedAt } = key;
  const isOwn = name === ownName;
  const button = (text: string, run: () => unknown, className = '') => {
    const made = make('button', { type: 'button', className }, text);
    made.setAttribute('aria-label', `${text}: ${name}`);
    made.addEventListener('click', () => void run());
    return made;
  };
  const onDone = (text: string) => () => {
    toast(text, { kind: 'good' });
    void load();
  };
  return make(
    'li',
    { className: 'card key-row', data: { key: name } },
    make(
      'div',
      { className: 'key-facts' },
      make('h2', {}, name, ...(isOwn ? [' ', make('small', { className: 'badge' }, words.yourKey)] : [])),
      make(
        'p',
        {},
        make('strong', {}, words.roles[role]),
        ` · ${groups ? groups.join(', ') : words.allGroupsKey}`,
      ),
      make(
        'p',
        { className: 'quiet-text' },
        `${words.keyMadeOn(formatDate(createdAt))} · ${lastUsedAt ? words.keyUsedOn(formatDate(lastUsedAt)) : words.keyNotUsed}`,
      ),
    ),
    make(
      'div',
      { className: 'key-actions' },
      button(words.signPhoneIn, () => openLink(key)),
      ...(isOwn
        ? []
        : [
            button(words.tieToGroups, () => openGroups(key, onDone(words.keyTied(name))).catch(fail)),
            button(words.revoke, () => openRevoke(key, onDone(words.keyRevoked(name))), 'danger'),
          ]),
    ),
  );
}

more.addEventListener('click', () => {
  openNewKey(() => void load()).catch(fail);
});

function open(): void {
  pageNeeds('keys')
    .then(async (may) => {
      if (!may) return;
      more.disabled = false;
      ownName = (await session()).name;
      await load();
    })
    .catch((error: unknown) => {
      say.textContent = messageOf(error);
      window.setTimeout(open, AGAIN);
    });
}
open();
