import { ApiError, messageOf } from '../lib/api.js';
import { element } from '../lib/dom.js';
import { formatTime, words } from '../lib/i18n.js';
import { type Group, listGroups } from '../lib/person-fields.js';
import { watchServer } from '../lib/server-watch.js';
import { whetherMay } from '../lib/session.js';
import { openPage } from '../lib/shell.js';
import {
  listSightings,
  readSighting,
  removeSighting,
  sightingFacts,
  sightingsAddress,
} from '../lib/sightings-api.js';
import { toast } from '../lib/toast.js';
import { createTodayFilters } from '../lib/today-filters.js';
import { doUnlessUndone } from '../lib/undo.js';
import { createUnknownDialogs, type UnknownDialogs } from '../lib/unknown-dialogs.js';
import { createUnknownInbox } from '../lib/unknown-inbox.js';
import { createVisitCards } from '../lib/visit-cards.js';
import { openVisit } from '../lib/visit-dialog.js';
import { nameOfVisit } from '../lib/visit-time.js';
import { isNarrowed, queryOf } from '../logic/today-view.js';
import { createVisits, type Sighting } from '../logic/visits.js';

/** Visits that are asked for at a time: full rows of one, two, three and four. */
const PAGE = 48;
/** Between two looks for new visits, milliseconds. */
const EVERY = 5000;

openPage();

const say = element('say', HTMLElement);
const nobody = element('nobody', HTMLElement);
const showNew = element('show-new', HTMLButtonElement);
const more = element('more', HTMLButtonElement);
const { dataset } = document.body;
const visits = createVisits();
let groups: Group[] = [];
let mayEdit = false;
let dialogs: UnknownDialogs | undefined;
let inbox: ReturnType<typeof createUnknownInbox> | undefined;
/** Where the list goes on; null: it has ended; undefined: it is not loaded. */
let next: string | null | undefined;
let request: AbortController | undefined;
/** A page is being asked for. */
let isLoading = false;
let loadedAt: number | undefined;
let isReady = false;

const filters = createTodayFilters(show);
const query = () => queryOf(filters.view, filters.today);
const cards = createVisitCards(element('visits', HTMLElement), {
  onOpen: open,
  onEnd: () => void loadMore(),
  isSeveralDays: () => filters.view.day === 'all',
  get: (id) => (visits.isHidden(id) ? undefined : visits.get(id)),
});
const server = watchServer({
  onAway() {
    const text = loadedAt === undefined ? words.awayFromStart : words.awaySince(formatTime(loadedAt));
    element('away-text', HTMLElement).textContent = text;
    element('away', HTMLElement).hidden = false;
    dataset.server = 'gone';
  },
  onBack() {
    element('away', HTMLElement).hidden = true;
    dataset.server = 'open';
    toast(words.serverBack, { kind: 'good' });
    if (!isReady) begin().catch(showError);
    else if (next === undefined) show();
    else void look();
  },
});

function showError(error: unknown): void {
  if (error instanceof DOMException && error.name === 'AbortError') return;
  if (server.failed(error)) return;
  say.textContent = messageOf(error);
  // Nothing of it works, and the sentence says what to do.
  const isOff = error instanceof ApiError && error.code === 'SIGHTINGS_OFF';
  if (isOff) dataset.sightings = 'off';
}

/** Shows what the address tells of, from the newest on. */
function show(): void {
  const { view } = filters;
  const isVisits = view.show === 'visits';
  dataset.show = view.show;
  element('unknowns', HTMLElement).hidden = isVisits;
  element('visits-part', HTMLElement).hidden = !isVisits;
  if (!isReady) return;
  say.textContent = '';
  if (!isVisits) {
    request?.abort();
    inbox?.show(view.show === 'ignored');
    return;
  }
  element('csv', HTMLAnchorElement).href = sightingsAddress(query(), 'csv');
  loadFirst().catch(showError);
}

/** @param focused the first card gets the focus */
async function loadFirst(focused = false): Promise<void> {
  request?.abort();
  request = new AbortController();
  next = undefined;
  const answer = await listSightings({ ...query(), limit: PAGE }, request.signal);
  loadedAt = Date.now();
  next = answer.next;
  cards.clear();
  cards.append(visits.reset(answer.sightings));
  const first = answer.sightings.at(0);
  if (first && isOne()) filters.setName(nameOfVisit(first));
  nobody.hidden = answer.sightings.length > 0;
  nobody.textContent = isNarrowed(filters.view) ? words.nobodyMatches : words.noVisits;
  more.hidden = next === null;
  showWaiting();
  if (focused) cards.focus();
}

const isOne = () => !['', 'known', 'unknown'].includes(filters.view.who);

async function loadMore(): Promise<void> {
  if (isLoading || !next || filters.view.show !== 'visits' || server.away) return;
  isLoading = true;
  const mine = request;
  try {
    const answer = await listSightings({ ...query(), limit: PAGE, after: next }, mine?.signal);
    if (mine !== request) return;
    next = answer.next;
    cards.append(visits.append(answer.sightings));
    more.hidden = next === null;
  } catch (error) {
    showError(error);
  } finally {
    isLoading = false;
  }
}

/** Looks for what is new: visits that are shown change where they stand, others wait to be asked for. */
async function look(): Promise<void> {
  if (document.hidden || !isReady || next === undefined || filters.view.show !== 'visits' || server.away)
    return;
  const mine = request;
  try {
    const answer = await listSightings({ ...query(), limit: PAGE }, mine?.signal);
    if (mine !== request) return;
    loadedAt = Date.now();
    for (const changed of visits.refresh(answer.sightings)) cards.update(changed);
    // Nothing is under a finger where nothing is.
    if (visits.size === 0 && visits.waiting > 0) await loadFirst();
    else showWaiting();
  } catch (error) {
    showError(error);
  }
}

function showWaiting(): void {
  const { waiting } = visits;
  const text = waiting === 0 ? '' : words.newVisits(waiting, waiting >= PAGE);
  if (showNew.textContent !== text) showNew.textContent = text;
  showNew.hidden = waiting === 0;
}

function open(sighting: Sighting): void {
  openVisit(sighting, {
    dialogs,
    mayEdit,
    nameOfGroup: (id) => groups.find(({ groupid }) => groupid === id)?.groupname ?? id,
    onShow(who) {
      filters.setName(nameOfVisit(sighting));
      filters.go({ who, day: 'all', group: '', camera: '' });
    },
    onChange: (id) => void readAnew(id),
    onRemove: remove,
    onClosed: () => cards.focusOn(sighting.id),
  });
}

/** Shows a visit as it has become. */
async function readAnew(id: number): Promise<void> {
  try {
    const now = await readSighting(id);
    visits.change(now);
    cards.update(now);
  } catch (error) {
    showError(error);
  }
}

function remove(sighting: Sighting): void {
  const { id } = sighting;
  visits.hide(id);
  if (!cards.remove(id)) element('title', HTMLElement).focus();
  doUnlessUndone({
    text: words.visitRemoved(nameOfVisit(sighting)),
    failed: words.visitNotRemoved,
    run: (leaving) => removeSighting(id, leaving),
    settled(how) {
      if (how === 'done') return;
      visits.unhide(id);
      loadFirst().catch(showError);
    },
  });
}

/** An unknown face is somebody now, or was named by mistake: its visits say so where they stand. */
async function settled(id: string): Promise<void> {
  if (filters.view.show === 'visits') {
    for (const { id: visit } of visits.ofUnknown(id)) await readAnew(visit);
  } else inbox?.remove(id);
}

async function begin(): Promise<void> {
  mayEdit = await whetherMay('enrol');
  const seesUnknowns = await whetherMay('keys');
  const [all, facts] = await Promise.all([listGroups(), sightingFacts()]);
  groups = all;
  if (seesUnknowns) {
    dialogs = createUnknownDialogs({
      groups,
      onSettled: (id) => void settled(id),
      onUndone: () => show(),
    });
    inbox = createUnknownInbox(
      {
        list: element('unknown-list', HTMLUListElement),
        more: element('more-unknowns', HTMLButtonElement),
        none: element('no-unknowns', HTMLElement),
      },
      {
        dialogs,
        onError: showError,
        onVisits: (id) => filters.goToUnknown(id),
      },
    );
  }
  const { days, unknownsDays, keepsPictures } = facts;
  filters.setChoices({ groups, cameras: facts.deviceids, seesUnknowns });
  element('kept', HTMLElement).textContent = words.visitsKept(
    days,
    seesUnknowns ? unknownsDays : undefined,
    keepsPictures,
  );
  isReady = true;
  dataset.server = 'open';
  dataset.sightings = 'on';
  show();
}

showNew.addEventListener('click', () => {
  filters.show();
  window.scrollTo({ top: 0 });
  loadFirst(true).catch(showError);
});
more.addEventListener('click', () => void loadMore());
element('retry', HTMLButtonElement).addEventListener('click', server.check);
window.setInterval(() => void look(), EVERY);
document.addEventListener('visibilitychange', () => void look());
show();
begin().catch(showError);
