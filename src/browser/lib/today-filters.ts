import {
  dayAfter,
  dayOf,
  readTodayView,
  startOf,
  type TodayView,
  whoIsUnknown,
  writeTodayView,
} from '../logic/today-view.js';
import { openDialog } from './dialog.js';
import { element, make } from './dom.js';
import { locale, words } from './i18n.js';
import type { Person } from './people-api.js';
import type { Group } from './person-fields.js';
import { createPersonSearch } from './person-search.js';

/** The option that asks for a person. */
const CHOOSE = '*choose';

/**
 * What the page of the day shows: which day, whom, which group, which camera. The controls, the address and the browser's
 * Back and Forward all say the same.
 * @param onChange something else is to be shown
 */
export function createTodayFilters(onChange: () => void) {
  const day = element('day', HTMLInputElement);
  const after = element('day-after', HTMLButtonElement);
  const title = element('title', HTMLElement);
  const who = element('who', HTMLSelectElement);
  const group = element('group-filter', HTMLSelectElement);
  const camera = element('camera-filter', HTMLSelectElement);
  let view = readTodayView(location.search);
  let groups: readonly Group[] = [];
  let cameras: readonly string[] = [];
  let seesUnknowns = false;
  /** How whoever is chosen is called. */
  let name = '';
  const today = () => dayOf(new Date());
  /** The day that "today" means: it stays when midnight passes, until something is asked for anew. */
  let held = today();
  const shownDay = () => (view.day === '' ? held : view.day);

  function go(change: Partial<TodayView>, how: 'pushState' | 'replaceState' = 'pushState'): void {
    held = today();
    if (change.day === held) change = { ...change, day: '' };
    view = { ...view, ...change };
    history[how](null, '', location.pathname + writeTodayView(view));
    show();
    onChange();
  }

  function dayName(): string {
    const shown = shownDay();
    if (shown === 'all') return words.allDays;
    if (shown === today()) return words.today;
    if (shown === dayAfter(today(), -1)) return words.yesterday;
    return startOf(shown).toLocaleDateString(locale, { dateStyle: 'full' });
  }

  const option = (value: string, text: string) => make('option', { value }, text);

  /** How the day that is shown is called now, and whether there is one after it. */
  function showDay(): void {
    const shown = shownDay();
    const text = view.show === 'visits' ? dayName() : words.unknownFaces;
    if (title.textContent !== text) title.textContent = text;
    day.max = today();
    after.disabled = shown === 'all' || shown >= today();
  }

  function show(): void {
    const shown = shownDay();
    showDay();
    day.value = shown === 'all' ? '' : shown;
    const isOne = view.who !== '' && view.who !== 'known' && view.who !== 'unknown';
    who.replaceChildren(
      option('', words.everybody),
      ...(seesUnknowns ? [option('known', words.knownPeople), option('unknown', words.unknownFaces)] : []),
      ...(isOne ? [option(view.who, name || words.onePerson)] : []),
      option(CHOOSE, words.choosePerson),
    );
    who.value = view.who;
    const withShown =
      view.camera === '' || cameras.includes(view.camera) ? cameras : [...cameras, view.camera];
    camera.replaceChildren(
      option('', words.allCameras),
      ...withShown.filter((each) => each !== '').map((each) => option(each, each)),
    );
    camera.value = view.camera;
    group.replaceChildren(
      option('', words.allGroups),
      ...groups.map(({ groupid, groupname }) => option(groupid, groupname)),
    );
    group.value = groups.some(({ groupid }) => groupid === view.group) ? view.group : '';
    for (const [id, isHere] of [
      ['to-visits', view.show === 'visits'],
      ['to-unknowns', view.show !== 'visits'],
    ] as const) {
      const link = element(id, HTMLAnchorElement);
      if (isHere) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }

  function choosePerson(): void {
    let chosen: Person | undefined;
    const { nodes, input } = createPersonSearch('person-search', words.searchPerson, {
      groups,
      onChosen(person) {
        chosen = person;
        dialog.close();
      },
    });
    const dialog = openDialog(words.choosePerson, nodes, () => {
      if (chosen) {
        name = chosen.username || chosen.userid;
        go({ who: chosen.faceid });
      } else show();
      who.focus();
    });
    input.focus();
  }

  day.addEventListener('change', () => go({ day: day.value === '' ? 'all' : day.value }));
  element('day-before', HTMLButtonElement).addEventListener('click', () => {
    const shown = shownDay();
    go({ day: shown === 'all' ? today() : dayAfter(shown, -1) });
  });
  after.addEventListener('click', () => go({ day: dayAfter(shownDay(), 1) }));
  element('all-days', HTMLButtonElement).addEventListener('click', () =>
    go({ day: view.day === 'all' ? '' : 'all' }),
  );
  who.addEventListener('change', () => {
    if (who.value === CHOOSE) choosePerson();
    else go({ who: who.value });
  });
  group.addEventListener('change', () => go({ group: group.value }));
  camera.addEventListener('change', () => go({ camera: camera.value }));
  for (const [id, to] of [
    ['to-visits', 'visits'],
    ['to-unknowns', 'unknowns'],
    ['to-ignored', 'ignored'],
    ['to-waiting', 'unknowns'],
  ] as const) {
    element(id, HTMLAnchorElement).addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      go({ show: to });
    });
  }
  window.addEventListener('popstate', () => {
    held = today();
    view = readTodayView(location.search);
    show();
    onChange();
  });
  show();

  return {
    get view(): Readonly<TodayView> {
      return view;
    },
    /** The calendar day that is shown as today. */
    get today(): string {
      return held;
    },
    /** Whether another day has begun since, for an address that means today. */
    get isPast(): boolean {
      return view.day === '' && held !== today();
    },
    go,
    /** Shows the day that it is now. */
    turn(): void {
      held = today();
      show();
    },
    showDay,
    /** Shows all visits of an unknown face. */
    goToUnknown(id: string): void {
      name = words.unknownFace;
      go({ show: 'visits', who: whoIsUnknown(id), day: 'all', group: '', camera: '' });
    },
    /** Names whoever is chosen. */
    setName(text: string): void {
      if (text === name) return;
      name = text;
      show();
    },
    setChoices(of: { groups: readonly Group[]; cameras: readonly string[]; seesUnknowns: boolean }): void {
      ({ groups, cameras, seesUnknowns } = of);
      show();
    },
  };
}
