import { ApiError, messageOf } from '../lib/api.js';
import { watchWithBanner } from '../lib/away-banner.js';
import { element } from '../lib/dom.js';
import { words } from '../lib/i18n.js';
import { type Group, listGroups } from '../lib/person-fields.js';
import { whetherMay } from '../lib/session.js';
import { openPage } from '../lib/shell.js';
import { sightingFacts, sightingsAddress } from '../lib/sightings-api.js';
import { createTodayFilters } from '../lib/today-filters.js';
import { createUnknownDialogs, type UnknownDialogs } from '../lib/unknown-dialogs.js';
import { createUnknownInbox } from '../lib/unknown-inbox.js';
import { openVisit } from '../lib/visit-dialog.js';
import { createVisitList, newVisitsText } from '../lib/visit-list.js';
import { nameOfVisit } from '../lib/visit-time.js';
import { isNarrowed, queryOf } from '../logic/today-view.js';
import type { Sighting } from '../logic/visits.js';

/** Between two looks for new visits, milliseconds. */
const EVERY = 5000;
/** The page that nobody has touched for so long turns to the new day by itself, milliseconds. */
const UNTOUCHED = 60_000;

openPage();

const say = element('say', HTMLElement);
const { dataset } = document.body;
let groups: Group[] = [];
let mayEdit = false;
let dialogs: UnknownDialogs | undefined;
let inbox: ReturnType<typeof createUnknownInbox> | undefined;
let isReady = false;
/** When somebody last did something here, on the clock of `performance.now()`. */
let touchedAt = 0;

const filters = createTodayFilters(show);
const query = () => queryOf(filters.view, filters.today);
const isOne = () => !['', 'known', 'unknown'].includes(filters.view.who);
const list = createVisitList({
  query,
  isSeveralDays: () => filters.view.day === 'all',
  isWanted: () => isReady && filters.view.show === 'visits' && !server.away,
  onOpen: open,
  onNewest([first]: readonly (Sighting | undefined)[]) {
    if (first && isOne()) filters.setName(nameOfVisit(first));
  },
  none: () => (isNarrowed(filters.view) ? words.nobodyMatches : words.noVisits),
  offer: (waiting) => (filters.isPast ? words.showToday : newVisitsText(waiting)),
  onOffer() {
    filters.turn();
    showCsv();
  },
  onError: showError,
});
const server = watchWithBanner(
  () => list.loadedAt,
  () => {
    if (!isReady) begin().catch(showError);
    else if (list.isLoaded) void look();
    else show();
  },
);

function showError(error: unknown): void {
  if (error instanceof DOMException && error.name === 'AbortError') return;
  if (server.failed(error)) return;
  say.textContent = messageOf(error);
  // Nothing of it works, and the sentence says what to do.
  const isOff = error instanceof ApiError && error.code === 'SIGHTINGS_OFF';
  if (isOff) dataset.sightings = 'off';
}

const showCsv = () => {
  element('csv', HTMLAnchorElement).href = sightingsAddress(query(), 'csv');
};

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
    list.stop();
    inbox?.show(view.show === 'ignored');
    return;
  }
  showCsv();
  list.loadFirst().catch(showError);
}

/** Whether somebody is at it: nothing may move then. */
function isInUse(): boolean {
  const isHeld = document.querySelector('dialog[open], #visits :focus') !== null;
  return isHeld || performance.now() - touchedAt < UNTOUCHED;
}

/** Looks for what is new. When midnight has passed, what is shown is yesterday's, and today is a press away. */
async function look(): Promise<void> {
  if (document.hidden) return;
  filters.showDay();
  if (filters.isPast && isReady && !server.away && !isInUse()) {
    filters.turn();
    show();
  } else await list.look();
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
    onChange: (id) => void list.readAnew(id),
    onRemove: (each) => list.remove(each),
    onClosed: () => list.focusOn(sighting.id),
  });
}

/** An unknown face is somebody now, or was named by mistake: its visits say so where they stand. */
async function settled(id: string): Promise<void> {
  if (filters.view.show === 'visits') {
    for (const { id: visit } of list.ofUnknown(id)) await list.readAnew(visit);
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

for (const kind of ['pointerdown', 'pointermove', 'wheel', 'keydown', 'touchstart'] as const) {
  document.addEventListener(kind, () => (touchedAt = performance.now()), { capture: true, passive: true });
}
element('retry', HTMLButtonElement).addEventListener('click', server.check);
window.setInterval(() => void look(), EVERY);
document.addEventListener('visibilitychange', () => void look());
show();
begin().catch(showError);
