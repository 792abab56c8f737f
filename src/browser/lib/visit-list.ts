import { createVisits, type Sighting } from '../logic/visits.js';
import { element } from './dom.js';
import { words } from './i18n.js';
import {
  listSightings,
  readSighting,
  removeSighting,
  type SightingPage,
  type SightingQuery,
} from './sightings-api.js';
import { doUnlessUndone } from './undo.js';
import { createVisitCards } from './visit-cards.js';
import { nameOfVisit } from './visit-time.js';

/** Visits that are asked for at a time: full rows of one, two, three and four. */
const PAGE = 48;

interface VisitListDeps {
  /** Which visits are shown. */
  query: () => SightingQuery;
  isSeveralDays: () => boolean;
  isOfOne?: boolean;
  /** Whether the list is to be seen, and the server there. */
  isWanted: () => boolean;
  onOpen: (sighting: Sighting) => void;
  /** Told the newest visits with each answer about them. */
  onNewest?: (newest: readonly Sighting[]) => void;
  /** What is said where there are no visits. */
  none: () => string;
  /** What the button over the list says; '' hides it. @param waiting visits that are not shown yet */
  offer?: (waiting: number) => string;
  /** The button was pressed. */
  onOffer?: () => void;
  onError: (error: unknown) => void;
}

/** What the button says of visits that are new. */
export function newVisitsText(waiting: number): string {
  return waiting === 0 ? '' : words.newVisits(waiting, waiting >= PAGE);
}

/**
 * The list of visits of a page: loaded as one scrolls, and looked at again without moving. Needs the elements `visits`,
 * `nobody`, `show-new` and `more`, and `title`, which gets the focus when nothing is left.
 */
export function createVisitList(deps: VisitListDeps) {
  const { query, isWanted, onNewest, none, onError, offer = newVisitsText } = deps;
  const nobody = element('nobody', HTMLElement);
  const showNew = element('show-new', HTMLButtonElement);
  const more = element('more', HTMLButtonElement);
  const visits = createVisits();
  /** Where the list goes on; null: it has ended; undefined: it is not loaded. */
  let next: string | null | undefined;
  let request: AbortController | undefined;
  /** A page is being asked for. */
  let isLoading = false;
  let loadedAt: number | undefined;

  const cards = createVisitCards(element('visits', HTMLElement), {
    onOpen: deps.onOpen,
    onEnd: () => void loadMore(),
    isSeveralDays: deps.isSeveralDays,
    isOfOne: deps.isOfOne,
    get: (id) => (visits.isHidden(id) ? undefined : visits.get(id)),
  });

  async function readFirst(): Promise<SightingPage> {
    const answer = await listSightings({ ...query(), limit: PAGE }, request?.signal);
    loadedAt = Date.now();
    onNewest?.(answer.sightings);
    return answer;
  }

  /** @param focused the first card gets the focus */
  async function loadFirst(focused = false): Promise<void> {
    request?.abort();
    request = new AbortController();
    next = undefined;
    const answer = await readFirst();
    next = answer.next;
    cards.clear();
    cards.append(visits.reset(answer.sightings));
    nobody.hidden = answer.sightings.length > 0;
    nobody.textContent = none();
    more.hidden = next === null;
    showOffer();
    if (focused && !cards.focus()) element('title', HTMLElement).focus();
  }

  async function loadMore(): Promise<void> {
    if (isLoading || !next || !isWanted()) return;
    isLoading = true;
    const mine = request;
    try {
      const answer = await listSightings({ ...query(), limit: PAGE, after: next }, mine?.signal);
      if (mine !== request) return;
      next = answer.next;
      cards.append(visits.append(answer.sightings));
      more.hidden = next === null;
    } catch (error) {
      onError(error);
    } finally {
      isLoading = false;
    }
  }

  /** Looks for what is new: visits that are shown change where they stand, others wait to be asked for. */
  async function look(): Promise<void> {
    if (document.hidden || next === undefined || !isWanted()) return;
    const mine = request;
    try {
      const answer = await readFirst();
      if (mine !== request) return;
      for (const changed of visits.refresh(answer.sightings)) cards.update(changed);
      // Nothing is under a finger where nothing is.
      if (visits.size === 0 && visits.waiting > 0) await loadFirst();
      else showOffer();
    } catch (error) {
      onError(error);
    }
  }

  function showOffer(): void {
    const text = offer(visits.waiting);
    if (showNew.textContent !== text) showNew.textContent = text;
    showNew.hidden = text === '';
  }

  /** Shows a visit as it has become. */
  async function readAnew(id: number): Promise<void> {
    try {
      const now = await readSighting(id);
      visits.change(now);
      cards.update(now);
    } catch (error) {
      onError(error);
    }
  }

  showNew.addEventListener('click', () => {
    deps.onOffer?.();
    window.scrollTo({ top: 0 });
    loadFirst(true).catch(onError);
  });
  more.addEventListener('click', () => void loadMore());

  return {
    loadFirst,
    look,
    readAnew,
    /** No answer that is on its way is waited for any more. */
    stop: () => request?.abort(),
    get isLoaded(): boolean {
      return next !== undefined;
    },
    /** When the server answered last, milliseconds since 1970; undefined: never. */
    get loadedAt(): number | undefined {
      return loadedAt;
    },
    focusOn: (id: number) => cards.focusOn(id),
    /** The visits shown that belong to an unknown face. */
    ofUnknown: (id: string) => visits.ofUnknown(id),
    /** Takes a visit out; the server is told when that can no longer be undone. */
    remove(sighting: Sighting): void {
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
          loadFirst().catch(onError);
        },
      });
    },
  };
}
