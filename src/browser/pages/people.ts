import { currentSession, messageOf } from '../lib/api.js';
import { sendArchive } from '../lib/send-archive.js';
import { element, make } from '../lib/dom.js';
import { formatDate, words } from '../lib/i18n.js';
import { everyone, listPeople, type Person, removePerson } from '../lib/people-api.js';
import { openGroup, openNewGroup, openPerson } from '../lib/person-dialog.js';
import { type Group, listGroups } from '../lib/person-fields.js';
import { download, nameByTime } from '../lib/picture.js';
import { openPage } from '../lib/shell.js';
import { toast } from '../lib/toast.js';
import { doUnlessUndone } from '../lib/undo.js';
import { toCsv } from '../logic/csv.js';
import { initialsOf, shownOf, turnPage } from '../logic/paging.js';

const PAGE = 24;
/** From the last keystroke to the search, milliseconds. */
const TYPING = 200;

openPage();

const search = element('search', HTMLInputElement);
const groupFilter = element('group-filter', HTMLSelectElement);
const pictureFilter = element('picture-filter', HTMLSelectElement);
const list = element('people', HTMLUListElement);
const count = element('count', HTMLElement);
const say = element('say', HTMLElement);
const back = element('back', HTMLButtonElement);
const forth = element('forth', HTMLButtonElement);
const editGroup = element('edit-group', HTMLButtonElement);
const file = element('import-file', HTMLInputElement);
const importing = element('importing', HTMLElement);

/** People deleted here whom the server still has. */
const hidden = new Set<string>();
let groups: Group[] = [];
let paging = { offset: 0, limit: PAGE, total: 0 };
let mayEdit = false;
let mayManage = false;
let request: AbortController | undefined;

const filters = () => ({
  group: groupFilter.value,
  search: search.value.trim(),
  pictures: pictureFilter.value,
});

async function show(offset = paging.offset): Promise<void> {
  request?.abort();
  request = new AbortController();
  const query = { ...filters(), offset, limit: PAGE };
  const { total, people } = await listPeople(query, request.signal);
  paging = { offset, limit: PAGE, total };
  if (people.length === 0 && offset > 0) return show(turnPage(paging, 0));
  list.replaceChildren(...people.filter(({ faceid }) => !hidden.has(faceid)).map(card));
  const { first, last } = shownOf(paging);
  count.textContent = total === 0 ? words.noPeople : words.shownOf(first, last, total);
  back.disabled = offset === 0;
  forth.disabled = last >= total;
  say.textContent = '';
}

function card(person: Person): HTMLLIElement {
  const group = groups.find(({ groupid }) => groupid === person.groupid)?.groupname ?? person.groupid;
  const since = person.enrolledAt === null ? '' : formatDate(person.enrolledAt);
  const button = make(
    'button',
    { type: 'button', className: 'person-card', data: { faceid: person.faceid } },
    make('span', { className: 'initials', ariaHidden: 'true' }, initialsOf(person.username)),
    make(
      'span',
      { className: 'who' },
      make('strong', {}, person.username),
      make('span', { className: 'where' }, `${group} · ${person.userid}`),
      make(
        'span',
        { className: person.faces === 0 ? 'where lacking' : 'where' },
        person.faces === 0 ? words.toEnrol : `${words.picturesCount(person.faces)}${since && ` · ${since}`}`,
      ),
    ),
  );
  button.addEventListener('click', () => {
    openPerson(person, { groups, mayEdit, onChange: reload, onRemove: remove });
  });
  return make('li', {}, button);
}

function remove(person: Person): void {
  hidden.add(person.faceid);
  reload();
  const run = (leaving: boolean) => removePerson(person.faceid, leaving);
  doUnlessUndone(words.personRemoved(person.username), run, () => {
    hidden.delete(person.faceid);
    reload();
  });
}

function reload(): void {
  show().catch(showError);
}

function showError(error: unknown): void {
  if (error instanceof DOMException && error.name === 'AbortError') return;
  say.textContent = messageOf(error);
}

async function fillGroups(choice = groupFilter.value): Promise<void> {
  groups = await listGroups();
  groupFilter.replaceChildren(
    make('option', { value: '' }, words.allGroups),
    ...groups.map(({ groupid, groupname }) => make('option', { value: groupid }, groupname)),
  );
  groupFilter.value = groups.some(({ groupid }) => groupid === choice) ? choice : '';
  editGroup.hidden = !mayManage || groupFilter.value === '';
}

async function saveCsv(): Promise<void> {
  const people = await everyone(filters());
  const head = ['faceid', 'groupid', 'userid', 'username', 'pictures', 'enrolledAt'];
  const rows = people.map((each) => [
    each.faceid,
    each.groupid,
    each.userid,
    each.username,
    each.faces,
    each.enrolledAt,
  ]);
  download(new Blob([toCsv([head, ...rows])], { type: 'text/csv' }), `${nameByTime()}.csv`);
}

async function importArchive(archive: File): Promise<void> {
  importing.hidden = false;
  try {
    await sendArchive(archive, (text) => (importing.textContent = text));
  } finally {
    importing.hidden = true;
  }
  toast(words.imported, { kind: 'good' });
  await fillGroups();
  await show(0);
}

let typing: number | undefined;
search.addEventListener('input', () => {
  window.clearTimeout(typing);
  typing = window.setTimeout(() => show(0).catch(showError), TYPING);
});
groupFilter.addEventListener('change', () => {
  editGroup.hidden = !mayManage || groupFilter.value === '';
  show(0).catch(showError);
});
pictureFilter.addEventListener('change', () => void show(0).catch(showError));
back.addEventListener('click', () => void show(turnPage(paging, -1)).catch(showError));
forth.addEventListener('click', () => void show(turnPage(paging, 1)).catch(showError));
element('csv', HTMLButtonElement).addEventListener('click', () => {
  saveCsv().catch((error: unknown) => toast(messageOf(error), { kind: 'bad' }));
});
element('new-group', HTMLButtonElement).addEventListener('click', () => {
  openNewGroup((groupid) => void fillGroups(groupid).then(() => show(0), showError));
});
editGroup.addEventListener('click', () => {
  const group = groups.find(({ groupid }) => groupid === groupFilter.value);
  if (group) openGroup(group, () => void fillGroups().then(() => show(0), showError));
});
element('import', HTMLButtonElement).addEventListener('click', () => file.click());
file.addEventListener('change', () => {
  const chosen = file.files?.item(0);
  file.value = '';
  if (chosen) importArchive(chosen).catch((error: unknown) => toast(messageOf(error), { kind: 'bad' }));
});

async function open(): Promise<void> {
  const { role = 'admin' } = await currentSession();
  mayEdit = role !== 'recognise';
  mayManage = role === 'admin';
  for (const id of ['import', 'export', 'new-group']) element(id, HTMLElement).hidden = !mayManage;
  await fillGroups(new URLSearchParams(location.search).get('group') ?? '');
  await show(0);
}
open().catch(showError);
