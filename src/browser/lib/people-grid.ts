import { cellAfter } from '../logic/grid-keys.js';
import { make } from './dom.js';
import { words } from './i18n.js';
import type { Person } from './people-api.js';
import { portraitOf } from './portrait.js';

interface GridDeps {
  onOpen: (person: Person) => void;
  /** Other people are chosen than before. */
  onSelect: () => void;
  nameOfGroup: (groupid: string) => string;
}

interface Cell {
  person: Person;
  /** What the person looked like when it was drawn. */
  drawn: string;
  root: HTMLLIElement;
  button: HTMLButtonElement;
  box: HTMLInputElement;
}

/**
 * The people of a page as round faces. One of them can be reached by Tab, the others by arrow keys; who is chosen stays
 * chosen on other pages.
 */
export function createPeopleGrid(list: HTMLUListElement, { onOpen, onSelect, nameOfGroup }: GridDeps) {
  let cells: Cell[] = [];
  const selected = new Map<string, Person>();
  /** The last one chosen, from which Shift chooses on. */
  let anchor = 0;

  function draw(person: Person): Cell {
    const { faceid, username, userid, groupid, faces } = person;
    const box = make('input', { type: 'checkbox', ariaLabel: words.selectPerson(username) });
    const button = make(
      'button',
      { type: 'button', className: 'person-card', data: { faceid } },
      portraitOf(person),
      make('strong', {}, username),
      make('span', { className: 'where' }, `${nameOfGroup(groupid)} · ${userid}`),
      make(
        'span',
        { className: faces === 0 ? 'where lacking' : 'where' },
        faces === 0 ? words.toEnrol : words.picturesCount(faces),
      ),
    );
    const pick = make('label', { className: 'pick' }, box);
    const root = make('li', {}, button, pick);
    const cell = { person, drawn: textOf(person), root, button, box };
    button.addEventListener('click', () => onOpen(cell.person));
    button.addEventListener('focus', () => setCurrent(cells.indexOf(cell)));
    box.addEventListener('focus', () => setCurrent(cells.indexOf(cell)));
    box.addEventListener('click', (event) => choose(cells.indexOf(cell), box.checked, event.shiftKey));
    return cell;
  }

  const textOf = (person: Person) => JSON.stringify([person, nameOfGroup(person.groupid)]);

  function setCurrent(at: number): void {
    for (const [i, { button, box }] of cells.entries()) button.tabIndex = box.tabIndex = i === at ? 0 : -1;
  }
  const current = () =>
    Math.max(
      0,
      cells.findIndex(({ button }) => button.tabIndex === 0),
    );

  function choose(at: number, isChosen: boolean, asRange: boolean): void {
    const [from, to] = asRange ? [Math.min(anchor, at), Math.max(anchor, at)] : [at, at];
    for (const { person } of cells.slice(from, to + 1)) {
      if (isChosen) selected.set(person.faceid, person);
      else selected.delete(person.faceid);
    }
    anchor = at;
    mark();
    onSelect();
  }

  function mark(): void {
    list.toggleAttribute('data-selecting', selected.size > 0);
    for (const { person, root, box } of cells) {
      box.checked = selected.has(person.faceid);
      root.toggleAttribute('data-selected', box.checked);
    }
  }

  const columns = () => {
    const top = cells[0]?.root.offsetTop;
    const next = cells.findIndex(({ root }) => root.offsetTop !== top);
    return next < 0 ? cells.length : next;
  };

  list.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = cells.findIndex(({ root }) => root.contains(event.target as Node));
    const to = cellAfter(event.key, at, { count: cells.length, columns: columns() });
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    // Through checkboxes where it began at one, so that several are quickly chosen.
    (event.target === cells[at].box ? cells[to].box : cells[to].button).focus();
  });

  const findAt = (faceid: string | undefined) => cells.findIndex(({ person }) => person.faceid === faceid);

  return {
    /** Shows these people. Whoever has the focus keeps it. */
    show(people: readonly Person[]): void {
      const focused = cells.find(({ root }) => root.contains(document.activeElement));
      const onBox = focused?.box === document.activeElement;
      const last = current();
      const known = new Map(cells.map((cell) => [cell.drawn, cell]));
      const present = cells[last]?.person.faceid;
      cells = people.map((person) => {
        const cell = known.get(textOf(person)) ?? draw(person);
        cell.person = person;
        if (selected.has(person.faceid)) selected.set(person.faceid, person);
        return cell;
      });
      list.replaceChildren(...cells.map(({ root }) => root));
      const kept = findAt(present);
      setCurrent(kept >= 0 ? kept : Math.min(last, cells.length - 1));
      mark();
      if (focused && cells.length > 0) {
        const cell = cells[current()];
        (onBox ? cell.box : cell.button).focus({ preventScroll: true });
      }
    },

    /**
     * Takes people out and puts the focus on the next one.
     * @returns whether there is one
     */
    remove(faceids: ReadonlySet<string>): boolean {
      const lastGone = cells.findLastIndex(({ person }) => faceids.has(person.faceid));
      const stays = ({ person }: Cell) => !faceids.has(person.faceid);
      const next = cells.slice(lastGone + 1).find(stays) ?? cells.slice(0, lastGone + 1).findLast(stays);
      for (const { root } of cells.filter((cell) => !stays(cell))) root.remove();
      cells = cells.filter(stays);
      if (next) setCurrent(cells.indexOf(next));
      next?.button.focus();
      return next !== undefined;
    },

    /** Puts the focus on a person. @returns whether they are shown */
    focus(faceid?: string): boolean {
      const cell = cells[faceid === undefined ? current() : findAt(faceid)] as Cell | undefined;
      cell?.button.focus();
      return cell !== undefined;
    },

    /** Lets people be chosen where no pointer shows the boxes. */
    choose(): void {
      list.dataset.choosing = '';
      onSelect();
      cells.at(current())?.box.focus();
    },

    get isChoosing(): boolean {
      return selected.size > 0 || list.dataset.choosing !== undefined;
    },

    selectAll(): void {
      for (const { person } of cells) selected.set(person.faceid, person);
      mark();
      onSelect();
    },

    /** Nobody is chosen any more, or only these. */
    select(people: readonly Person[] = []): void {
      selected.clear();
      if (people.length === 0) delete list.dataset.choosing;
      for (const person of people) selected.set(person.faceid, person);
      mark();
      onSelect();
    },

    get selected(): Person[] {
      return [...selected.values()];
    },
  };
}

export type PeopleGrid = ReturnType<typeof createPeopleGrid>;
