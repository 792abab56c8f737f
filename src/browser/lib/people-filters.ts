import { type PeopleView, readView, SORTS, writeView } from '../logic/people-view.js';
import { element, make } from './dom.js';
import { words } from './i18n.js';
import type { Group } from './person-fields.js';

/** From the last keystroke to the search, milliseconds. */
const TYPING = 200;

/**
 * What the page of people shows: search, group, order, page. The controls, the address and the browser's Back and
 * Forward all say the same.
 * @param onChange something else is to be shown
 * @param onDown the arrow key leads from the search to the people. @returns whether there is one
 */
export function createPeopleFilters(onChange: () => void, onDown: () => boolean) {
  const search = element('search', HTMLInputElement);
  const group = element('group-filter', HTMLSelectElement);
  const pictures = element('picture-filter', HTMLSelectElement);
  const sort = element('sort', HTMLSelectElement);
  const panel = element('filters', HTMLElement);
  let view = readView(location.search);
  let groups: readonly Group[] = [];
  /** Runs while something typed waits to be searched for. */
  let timer: number | undefined;

  const write = (how: 'pushState' | 'replaceState') => {
    history[how](null, '', location.pathname + writeView(view));
  };

  function go(change: Partial<PeopleView>, how: 'pushState' | 'replaceState' = 'pushState'): void {
    // What was typed last and not yet searched for is part of what is wanted.
    const typed = timer === undefined ? {} : { search: search.value };
    window.clearTimeout(timer);
    timer = undefined;
    view = { ...view, ...typed, ...change };
    write(how);
    show();
    onChange();
  }

  function show(): void {
    // Not while somebody types: the caret would jump.
    if (search.value.trim() !== view.search.trim()) search.value = view.search;
    group.value = groups.some(({ groupid }) => groupid === view.group) ? view.group : '';
    pictures.value = view.pictures;
    sort.value = view.sort;
    // A phone shows them where they hold somebody back.
    if (view.group !== '' || view.pictures !== '' || view.sort !== SORTS[0]) panel.dataset.open = '';
  }

  /** One entry of the history for each search, however many letters it has. */
  let isTyping = false;
  function searchNow(): void {
    window.clearTimeout(timer);
    timer = undefined;
    if (search.value.trim() === view.search.trim()) return;
    go({ search: search.value, page: 1 }, isTyping ? 'replaceState' : 'pushState');
    isTyping = true;
  }
  search.addEventListener('input', () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(searchNow, TYPING);
  });
  search.addEventListener('blur', () => (isTyping = false));
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') searchNow();
    if (event.key === 'ArrowDown' && onDown()) event.preventDefault();
  });
  group.addEventListener('change', () => go({ group: group.value, page: 1 }));
  pictures.addEventListener('change', () => {
    go({ pictures: pictures.value === 'none' ? 'none' : '', page: 1 });
  });
  sort.addEventListener('change', () => {
    go({ sort: SORTS.find((each) => each === sort.value) ?? SORTS[0], page: 1 });
  });
  window.addEventListener('popstate', () => {
    window.clearTimeout(timer);
    timer = undefined;
    view = readView(location.search);
    isTyping = false;
    show();
    onChange();
  });
  show();

  return {
    get view(): Readonly<PeopleView> {
      return view;
    },
    /** Shows something else, and changes the address. */
    go,
    /** The address names whose dialog is open, so that it can be passed on. */
    setPerson(person: string): void {
      view = { ...view, person };
      write('replaceState');
    },
    setGroups(all: readonly Group[]): void {
      groups = all;
      group.replaceChildren(
        make('option', { value: '' }, words.allGroups),
        ...all.map(({ groupid, groupname }) => make('option', { value: groupid }, groupname)),
      );
      show();
    },
    /** Opens the controls that a phone hides. */
    open(): void {
      panel.dataset.open = '';
      sort.focus();
    },
  };
}
