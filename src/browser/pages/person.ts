import { ApiError, messageOf } from '../lib/api.js';
import { watchWithBanner } from '../lib/away-banner.js';
import { element } from '../lib/dom.js';
import { words } from '../lib/i18n.js';
import { type Person, readPerson } from '../lib/people-api.js';
import { facts } from '../lib/person-facts.js';
import { type Group, listGroups } from '../lib/person-fields.js';
import { lastSeenText } from '../lib/person-visits.js';
import { portraitOf } from '../lib/portrait.js';
import { whetherMay } from '../lib/session.js';
import { openPage } from '../lib/shell.js';
import { sightingFacts, sightingsAddress } from '../lib/sightings-api.js';
import { openVisit } from '../lib/visit-dialog.js';
import { createVisitList } from '../lib/visit-list.js';

/** Between two looks for new visits, milliseconds. */
const EVERY = 5000;

openPage();

const say = element('say', HTMLElement);
const title = element('title', HTMLElement);
const { dataset } = document.body;
const faceid = decodeURIComponent(location.pathname.slice('/people/'.length));
let groups: Group[] = [];
let mayEdit = false;
let isReady = false;
/** As it is shown; what has not changed is not drawn again. */
let shown = '';

const list = createVisitList({
  query: () => ({ faceid }),
  isSeveralDays: () => true,
  isOfOne: true,
  isWanted: () => isReady && !server.away && dataset.sightings === 'on',
  onOpen(sighting) {
    openVisit(sighting, {
      dialogs: undefined,
      mayEdit,
      nameOfGroup,
      onShow: undefined,
      onChange: (id) => void list.readAnew(id),
      onRemove: (each) => list.remove(each),
      onClosed: () => list.focusOn(sighting.id),
    });
  },
  onNewest(newest) {
    const text = lastSeenText(newest.at(0));
    const place = element('last-seen', HTMLElement);
    if (place.textContent !== text) place.textContent = text;
  },
  none: () => words.neverSeenHere,
  onError: showError,
});
const server = watchWithBanner(
  () => list.loadedAt,
  () => {
    if (isReady) void look();
    else begin().catch(showError);
  },
);

function nameOfGroup(id: string): string {
  return groups.find(({ groupid }) => groupid === id)?.groupname ?? id;
}

function showError(error: unknown): void {
  if (error instanceof DOMException && error.name === 'AbortError') return;
  if (server.failed(error)) return;
  say.textContent = messageOf(error);
  const code = error instanceof ApiError ? error.code : '';
  if (code === 'SIGHTINGS_OFF') dataset.sightings = 'off';
  // Nobody of this ID, or nobody whom this key may see.
  else if (code === 'PERSON_UNKNOWN' || code === 'FORBIDDEN') showNobody();
}

function showNobody(): void {
  dataset.person = 'unknown';
  title.textContent = words.notThisPersonHere;
  element('elsewhere', HTMLElement).hidden = false;
}

function show(person: Person): void {
  const now = JSON.stringify(person);
  if (now === shown) return;
  shown = now;
  const { groupid, userid, username } = person;
  const name = username || userid;
  title.textContent = name;
  document.title = `${name} — ${words.appName}`;
  element('portrait', HTMLElement).replaceChildren(portraitOf(person));
  element('facts', HTMLElement).replaceChildren(facts(person, groups));
  element('add-pictures', HTMLAnchorElement).href =
    `/add?${new URLSearchParams({ group: groupid, userid, username })}`;
  element('change', HTMLAnchorElement).href = `/people?${new URLSearchParams({ person: faceid })}`;
  element('csv', HTMLAnchorElement).href = sightingsAddress({ faceid }, 'csv');
  dataset.person = 'known';
}

/** Shows the person as they are now, and visits that have changed; those that are new wait to be asked for. */
async function look(): Promise<void> {
  if (document.hidden || !isReady || server.away || dataset.person === 'unknown') return;
  try {
    show(await readPerson(faceid));
    if (list.isLoaded) await list.look();
    else if (dataset.sightings === 'on') await list.loadFirst();
  } catch (error) {
    showError(error);
  }
}

async function begin(): Promise<void> {
  mayEdit = await whetherMay('enrol');
  groups = await listGroups();
  show(await readPerson(faceid));
  isReady = true;
  dataset.server = 'open';
  const { days, keepsPictures } = await sightingFacts();
  dataset.sightings = 'on';
  element('kept', HTMLElement).textContent = words.visitsKept(days, undefined, keepsPictures);
  await list.loadFirst();
}

element('retry', HTMLButtonElement).addEventListener('click', server.check);
window.setInterval(() => void look(), EVERY);
document.addEventListener('visibilitychange', () => void look());
begin().catch(showError);
