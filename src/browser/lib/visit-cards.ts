import { cellAfter } from '../logic/grid-keys.js';
import type { Sighting } from '../logic/visits.js';
import { make } from './dom.js';
import { portraitOf } from './portrait.js';
import { nameOfVisit, timeOfVisit } from './visit-time.js';

/** A page of the list that is farther from the screen than this, in screens, gives its cards back. */
const FAR = '200%';

interface CardsDeps {
  onOpen: (sighting: Sighting, card: HTMLButtonElement) => void;
  /** The end of what is shown comes near. */
  onEnd: () => void;
  /** Whether visits of several days are shown, so that each says its date. */
  isSeveralDays: () => boolean;
  /** All are of one person, whom the page names: each card says when in place of who. */
  isOfOne?: boolean;
  /** As it is now; undefined when it is there no more. */
  get: (id: number) => Sighting | undefined;
}

interface Block {
  root: HTMLUListElement;
  ids: number[];
  isDrawn: boolean;
}

/**
 * Visits as cards, in blocks as they were loaded. A block that is far from the screen gives its cards back and keeps its
 * height, so that a hundred thousand visits cost no more than a few screens of them. One card can be reached by Tab, the others
 * by arrow keys.
 */
export function createVisitCards(
  root: HTMLElement,
  { onOpen, onEnd, isSeveralDays, isOfOne = false, get }: CardsDeps,
) {
  let blocks: Block[] = [];
  const end = make('div', { className: 'list-end', ariaHidden: 'true' });
  root.after(end);

  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const block = blocks.find((each) => each.root === target);
        if (block && isIntersecting) draw(block);
        else if (block && !block.root.contains(document.activeElement)) clear(block);
      }
    },
    { rootMargin: `${FAR} 0px` },
  );
  new IntersectionObserver(
    (entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) onEnd();
    },
    { rootMargin: '100% 0px' },
  ).observe(end);

  function cardOf(sighting: Sighting): HTMLLIElement {
    const { id, person, picture, deviceid, isOpen } = sighting;
    const name = nameOfVisit(sighting);
    const time = make('time', { dateTime: sighting.first }, timeOfVisit(sighting, isSeveralDays()));
    const place = deviceid === '' ? [] : [make('span', {}, deviceid)];
    const button = make(
      'button',
      { type: 'button', className: 'visit-card', data: { sighting: String(id), who: person?.faceid ?? '' } },
      portraitOf({ username: person ? name : '?', thumbnail: picture }),
      make('strong', {}, isOfOne ? time : name),
      make(
        'span',
        { className: 'when' },
        ...(isOfOne ? place : [time, ...(place.length > 0 ? [' · ', ...place] : [])]),
      ),
    );
    button.tabIndex = -1;
    button.toggleAttribute('data-open', isOpen);
    button.addEventListener('click', () => {
      const now = get(id);
      if (now) onOpen(now, button);
    });
    return make('li', {}, button);
  }

  function draw(block: Block): void {
    if (block.isDrawn) return;
    block.isDrawn = true;
    block.root.style.height = '';
    const there = block.ids.map(get).filter((each) => each !== undefined);
    block.root.replaceChildren(...there.map(cardOf));
    keepOneInTabOrder();
  }

  function clear(block: Block): void {
    if (!block.isDrawn) return;
    block.root.style.height = `${block.root.offsetHeight}px`;
    block.isDrawn = false;
    block.root.replaceChildren();
    keepOneInTabOrder();
  }

  const cards = () => [...root.querySelectorAll<HTMLButtonElement>('.visit-card')];
  const cardAt = (id: number) => root.querySelector<HTMLButtonElement>(`[data-sighting="${id}"]`);

  function keepOneInTabOrder(): void {
    const all = cards();
    if (!all.some(({ tabIndex }) => tabIndex === 0)) all.at(0)?.setAttribute('tabindex', '0');
  }

  root.addEventListener('focusin', ({ target }) => {
    for (const card of cards()) card.tabIndex = card === target ? 0 : -1;
  });
  root.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const all = cards();
    const at = all.findIndex((card) => card === event.target);
    const top = all[0]?.parentElement?.offsetTop;
    const second = all.findIndex((card) => card.parentElement?.offsetTop !== top);
    const to = cellAfter(event.key, at, { count: all.length, columns: second < 1 ? all.length : second });
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    all[to].focus();
  });

  return {
    /** Begins anew. */
    clear(): void {
      near.disconnect();
      blocks = [];
      root.replaceChildren();
    },
    append(sightings: readonly Sighting[]): void {
      if (sightings.length === 0) return;
      const block: Block = {
        root: make('ul', { className: 'visits' }),
        ids: sightings.map(({ id }) => id),
        isDrawn: false,
      };
      blocks.push(block);
      root.append(block.root);
      draw(block);
      near.observe(block.root);
    },
    /** Draws a visit as it has become, where it stands. */
    update(sighting: Sighting): void {
      const card = cardAt(sighting.id);
      if (!card) return;
      const made = cardOf(sighting);
      const isFocused = card === document.activeElement;
      const button = made.querySelector('button');
      if (button) button.tabIndex = card.tabIndex;
      card.parentElement?.replaceWith(made);
      if (isFocused) button?.focus({ preventScroll: true });
    },
    /** Takes a visit out, and puts the focus on the next one. @returns whether there is one */
    remove(id: number): boolean {
      const all = cards();
      const at = all.findIndex((card) => card.dataset.sighting === String(id));
      const block = blocks.find(({ ids }) => ids.includes(id));
      if (block) block.ids = block.ids.filter((each) => each !== id);
      cardAt(id)?.parentElement?.remove();
      const next = all.at(at + 1) ?? (at > 0 ? all[at - 1] : undefined);
      keepOneInTabOrder();
      next?.focus();
      return next !== undefined;
    },
    focus(): boolean {
      const first = cards().at(0);
      first?.focus({ preventScroll: true });
      return first !== undefined;
    },
    /** The card of a visit, if it is drawn. */
    focusOn(id: number): void {
      cardAt(id)?.focus({ preventScroll: true });
    },
  };
}
