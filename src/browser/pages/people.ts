import { call, messageOf } from '../lib/api.js';
import { element, make, recall, remember } from '../lib/dom.js';
import { words } from '../lib/i18n.js';
import { chooseGroup, openGroup, openNewGroup } from '../lib/group-dialog.js';
import { openMenuBy } from '../lib/menu.js';
import { openMerge } from '../lib/merge-dialog.js';
import { listPeople, type Person, readPerson } from '../lib/people-api.js';
import { createPeopleChanges } from '../lib/people-changes.js';
import { createPeopleFilters } from '../lib/people-filters.js';
import { createPeopleGrid } from '../lib/people-grid.js';
import { createTransfer, saveAsCsv } from '../lib/people-transfer.js';
import { openPerson } from '../lib/person-dialog.js';
import { type Group, listGroups } from '../lib/person-fields.js';
import { watchWithBanner } from '../lib/away-banner.js';
import { whetherMay } from '../lib/session.js';
import { openPage } from '../lib/shell.js';
import { isFiltered } from '../logic/people-view.js';
import { shownOf } from '../logic/paging.js';

/** People on a page: full rows of two, three, four, six and eight. */
const PAGE = 48;

openPage();

const title = element('title', HTMLElement);
const list = element('people', HTMLUListElement);
const nobody = element('nobody', HTMLElement);
const say = element('say', HTMLElement);
const back = element('back', HTMLButtonElement);
const forth = element('forth', HTMLButtonElement);
const { dataset } = document.body;

/** People whom a change that can still be undone takes from the list. */
const hidden = new Set<string>();
let groups: Group[] = [];
let found: { total: number; people: Person[] } | undefined;
/** Milliseconds since 1970. */
let loadedAt: number | undefined;
let mayEdit = false;
let mayManage = false;
/** Everything has been read once. */
let isReady = false;
let request: AbortController | undefined;

const grid = createPeopleGrid(list, {
  onOpen: open,
  onSelect: showBulk,
  nameOfGroup: (id) => groups.find(({ groupid }) => groupid === id)?.groupname ?? id,
});
const filters = createPeopleFilters(reload, () => grid.focus());
const changes = createPeopleChanges({
  hide(people) {
    const faceids = new Set(people.map(({ faceid }) => faceid));
    for (const faceid of faceids) hidden.add(faceid);
    if (!grid.remove(faceids)) title.focus();
    draw();
    reload();
  },
  settle(people, focusOn) {
    for (const { faceid } of people) hidden.delete(faceid);
    draw();
    reload(focusOn);
  },
  reload,
  select: (people) => grid.select(people),
});
const transfer = createTransfer(async () => {
  await fillGroups();
  await load();
});
const server = watchWithBanner(
  () => loadedAt,
  () => {
    if (isReady) reload();
    else begin().catch(showError);
  },
);

function showError(error: unknown): void {
  if (error instanceof DOMException && error.name === 'AbortError') return;
  if (!server.failed(error)) say.textContent = messageOf(error);
}

/** Asks the server for the page that the address tells of. */
async function load(): Promise<void> {
  request?.abort();
  request = new AbortController();
  const { search, group, pictures, sort, page } = filters.view;
  const query = { search: search.trim(), group, pictures, sort };
  // So many more that the page is full although some of them are hidden.
  const range = { offset: (page - 1) * PAGE, limit: PAGE + Math.min(hidden.size, PAGE) };
  const answer = await listPeople({ ...query, ...range }, request.signal);
  loadedAt = Date.now();
  say.textContent = '';
  const last = Math.max(1, Math.ceil(answer.total / PAGE));
  if (page > last) {
    filters.go({ page: last }, 'replaceState');
    return;
  }
  found = answer;
  draw();
}

/** @param focusOn whom to put the focus on, unless a dialog has it */
function reload(focusOn?: string): void {
  showGroup();
  load().then(() => {
    if (focusOn !== undefined && !document.querySelector('dialog[open]')) grid.focus(focusOn);
  }, showError);
}

/** Shows what the server answered last, without those who are hidden. */
function draw(): void {
  if (!found) return;
  const { page } = filters.view;
  const people = found.people.filter(({ faceid }) => !hidden.has(faceid)).slice(0, PAGE);
  const gone = found.people.filter(({ faceid }) => hidden.has(faceid)).length;
  grid.show(people);
  const paging = { offset: (page - 1) * PAGE, limit: PAGE, total: found.total - gone };
  const { first, last } = shownOf(paging);
  const isWhole = first <= 1 && last === paging.total;
  nobody.hidden = people.length > 0;
  if (people.length === 0) showNobody();
  element('count', HTMLElement).textContent = isWhole
    ? words.allOf(paging.total)
    : words.shownOf(first, last, paging.total);
  element('pager', HTMLElement).hidden = paging.total === 0;
  back.hidden = forth.hidden = isWhole;
  back.disabled = page === 1;
  forth.disabled = last >= paging.total;
}

function showNobody(): void {
  if (isFiltered(filters.view)) nobody.replaceChildren(words.nobodyMatches);
  else if (!mayEdit) nobody.replaceChildren(words.noPeople);
  else nobody.replaceChildren(words.noPeople, ' ', make('a', { href: '/add' }, words.enrolFirst));
}

const isHidden = (faceid: string) => hidden.has(faceid);

function open(person: Person): void {
  filters.setPerson(person.faceid);
  openPerson(person, {
    groups,
    mayEdit,
    onChange: reload,
    onRemove: (each) => changes.remove([each]),
    onMerge: (each) =>
      openMerge(each, undefined, { groups, isHidden, onMerge: (into, from) => changes.merge(into, from) }),
    onClosed: () => filters.setPerson(''),
  });
}

async function fillGroups(): Promise<void> {
  groups = await listGroups();
  filters.setGroups(groups);
  showGroup();
}

const groupShown = () => groups.find(({ groupid }) => groupid === filters.view.group);

/** What the menu can do with the group that is shown. */
function showGroup(): void {
  const group = groupShown();
  const item = document.getElementById('edit-group-item');
  const archive = document.querySelector<HTMLAnchorElement>('#export');
  if (!item || !archive) return;
  item.hidden = !group || !mayManage;
  element('edit-group', HTMLButtonElement).textContent = words.editGroup(group?.groupname ?? '');
  archive.textContent = group ? words.exportGroup(group.groupname) : words.exportArchive;
  archive.href = `/api/v1/export${group ? `?${new URLSearchParams({ groups: group.groupid })}` : ''}`;
}

function showBulk(): void {
  const { selected, isChoosing } = grid;
  element('bulk', HTMLElement).hidden = !isChoosing;
  element('selected', HTMLElement).textContent = words.selectedCount(selected.length);
  for (const id of ['bulk-move', 'bulk-csv', 'bulk-remove']) {
    element(id, HTMLButtonElement).disabled = selected.length === 0;
  }
  element('bulk-merge', HTMLElement).hidden = selected.length !== 2;
}

const on = (id: string, run: () => void) => element(id, HTMLElement).addEventListener('click', run);
const focusOnPeople = () => {
  if (!grid.focus()) title.focus();
};
function turn(by: number): void {
  filters.go({ page: filters.view.page + by });
  window.scrollTo({ top: 0 });
}
on('back', () => turn(-1));
on('forth', () => turn(1));
on('retry', server.check);

openMenuBy(element('menu-button', HTMLButtonElement), element('menu', HTMLElement));
on('show-filters', () => filters.open());
on('select-several', () => grid.choose());
on('new-group', () => {
  openNewGroup((group) => void fillGroups().then(() => filters.go({ group, page: 1 }), showError));
});
on('edit-group', () => {
  const group = groupShown();
  if (!group) return;
  openGroup(group, () => {
    fillGroups().then(
      () => filters.go(groupShown() ? {} : { group: '', page: 1 }, 'replaceState'),
      showError,
    );
  });
});
on('import', transfer.chooseArchive);
on('csv', () => {
  const { search, group, pictures } = filters.view;
  transfer.saveEveryone({ search: search.trim(), group, pictures });
});

on('bulk-all', () => grid.selectAll());
on('bulk-none', () => {
  grid.select();
  focusOnPeople();
});
on('bulk-csv', () => saveAsCsv(grid.selected));
on('bulk-remove', () => void changes.removeAll(grid.selected));
on('bulk-move', () => {
  const { selected } = grid;
  chooseGroup(words.movePeople(selected.length), groups, (group) => void changes.moveAll(selected, group));
});
on('bulk-merge', () => {
  const [first, second] = grid.selected;
  const onMerge = (into: Person, from: Person) => {
    grid.select();
    changes.merge(into, from);
  };
  openMerge(first, second, { groups, isHidden, onMerge });
});

/** What the key may use; styles/rights.css hides the rest. */
async function askRights(): Promise<void> {
  mayEdit = await whetherMay('enrol');
  mayManage = await whetherMay('admin');
  list.toggleAttribute('data-may-edit', mayEdit);
  dataset.key = mayEdit ? 'enrol' : 'recognise';
}

/** Says once that the server keeps no pictures, to those who would see them. */
async function explainFaces(): Promise<void> {
  const { keepFaces } = await call<{ keepFaces?: boolean }>('GET', '/api/v1/health');
  const note = element('faces-note', HTMLElement);
  if (keepFaces !== false || !mayEdit || recall('faces-note') !== null) return;
  // On a phone the first person comes first.
  if (window.matchMedia('(max-width: 40rem)').matches) nobody.after(note);
  note.hidden = false;
}
on('faces-note-close', () => {
  remember('faces-note', 'read');
  element('faces-note', HTMLElement).hidden = true;
  focusOnPeople();
});

async function begin(): Promise<void> {
  await askRights();
  await fillGroups();
  await load();
  isReady = true;
  dataset.server = 'open';
  const { person } = filters.view;
  if (person !== '') readPerson(person).then(open, showError);
  await explainFaces();
}
begin().catch(showError);
