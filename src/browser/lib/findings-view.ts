import { describeOdds } from '../logic/odds.js';
import { call } from './api.js';
import {
  type Disagreement,
  type Findings,
  movePicture,
  type Odd,
  type Pair,
  type Picture,
  sayNot,
  type Weak,
} from './check-api.js';
import { make } from './dom.js';
import { formatNumber, language, words } from './i18n.js';
import { mergePeople, type Person, removePicture } from './people-api.js';
import { portraitOf } from './portrait.js';
import { doUnlessUndone, offerUndo } from './undo.js';

interface FindingsDeps {
  /** Something was put right, or taken back. */
  onChange: () => void;
  onError: (error: unknown) => void;
  onMore: () => void;
}

/** What a check-up found, as lists of cards with what can be done about each. */
export function createFindingsView(root: HTMLElement, { onChange, onError, onMore }: FindingsDeps) {
  /** Cards whose remedy may still be undone: they stay away when the lists are shown anew. */
  const hidden = new Set<string>();

  function button(text: string, run: () => unknown, className = ''): HTMLButtonElement {
    const made = make('button', { type: 'button', className }, text);
    made.addEventListener('click', () => void run());
    return made;
  }

  /** Takes a card away; the focus goes to the next one. */
  function leave(card: HTMLElement, key: string): void {
    hidden.add(key);
    const next = card.nextElementSibling ?? card.previousElementSibling;
    const heading = card.closest('section')?.querySelector<HTMLElement>('h2');
    card.hidden = true;
    (next?.querySelector<HTMLElement>('button, a') ?? heading)?.focus();
  }

  function comeBack(card: HTMLElement, key: string): void {
    hidden.delete(key);
    card.hidden = false;
    card.querySelector<HTMLElement>('button')?.focus();
  }

  /** A remedy that begins when it can no longer be undone. */
  function later(
    card: HTMLElement,
    key: string,
    change: { text: string; failed: string; run: (leaving: boolean) => Promise<void> },
  ): void {
    leave(card, key);
    doUnlessUndone({
      ...change,
      settled(how) {
        if (how === 'done') onChange();
        else comeBack(card, key);
      },
    });
  }

  function pair({ people, pictures, odds, oddsAtMost }: Pair): HTMLElement {
    const [one, two] = people;
    const key = `pair ${one.faceid} ${two.faceid}`;
    const card = make('li', { className: 'card finding', data: { key } });
    const keep = (into: Person, from: Person) =>
      button(words.keepName(into.username), () =>
        later(card, key, {
          text: words.merged(from.username, into.username),
          failed: words.notMerged(from.username, into.username),
          run: (leaving) => mergePeople(into.faceid, from.faceid, leaving),
        }),
      );
    const apart = button(words.twoPeople, () => {
      tellApart(people, pictures).then(
        (undo) => {
          leave(card, key);
          offerUndo(words.toldApart(one.username, two.username), async () => {
            await undo();
            comeBack(card, key);
          });
        },
        (error: unknown) => onError(error),
      );
    });
    const near = describeOdds({ odds, oddsAtMost }, words, language);
    card.append(
      make('div', { className: 'beside' }, side(one, pictures[0]), side(two, pictures[1])),
      ...(near === undefined ? [] : [make('p', { className: 'quiet-text' }, words.strangersAsNear(near))]),
      make(
        'div',
        { className: 'remedies' },
        make('span', {}, words.samePeople),
        keep(one, two),
        keep(two, one),
        apart,
      ),
    );
    return card;
  }

  /** A picture beside others. */
  function odd(person: Person, shown: Odd, card: HTMLElement, key: string): HTMLElement {
    const { picture, nearest, other } = shown;
    const remove = () =>
      later(card, key, {
        text: words.pictureRemoved,
        failed: words.pictureNotRemoved,
        run: (leaving) => removePicture(person.faceid, picture.face, leaving),
      });
    const remedies = [button(words.deletePicture, remove, 'danger')];
    if (other) {
      const { faceid, username } = other.person;
      remedies.unshift(
        button(words.movePicture(username), () =>
          later(card, key, {
            text: words.pictureMoved(username),
            failed: words.pictureNotMoved,
            run: (leaving) => movePicture(person.faceid, picture.face, faceid, leaving),
          }),
        ),
      );
    }
    return make(
      'div',
      { className: 'odd' },
      make(
        'div',
        { className: 'beside' },
        labelled(person, picture, words.thisPicture),
        labelled(person, nearest, words.anotherPicture),
        ...(other ? [labelled(other.person, other, words.looksLike(other.person.username))] : []),
      ),
      make('div', { className: 'remedies' }, ...remedies),
    );
  }

  function disagreement({ person, undecided, pictures }: Disagreement): HTMLElement {
    const list = make('ul', { className: 'odd-pictures' });
    for (const one of pictures) {
      const key = `picture ${one.picture.face}`;
      const item = make('li', { data: { key } });
      item.hidden = hidden.has(key);
      item.append(odd(person, one, item, key));
      list.append(item);
    }
    return make(
      'li',
      { className: 'card finding', data: { key: `person ${person.faceid}` } },
      heading(person),
      ...(undecided ? [make('p', {}, words.undecidedPictures)] : []),
      list,
    );
  }

  function weak(found: Weak): HTMLElement {
    const key = `picture ${found.picture.face}`;
    const card = make('li', { className: 'card finding', data: { key } });
    const name = found.other?.person.username ?? '';
    const reason =
      found.reason === 'far-from-own'
        ? words.weakReasons['far-from-own']
        : words.weakReasons['nearer-to-another'](name);
    card.append(heading(found.person), make('p', {}, reason), odd(found.person, found, card, key));
    return card;
  }

  function bare(person: Person): HTMLElement {
    const { groupid, userid, username } = person;
    const query = new URLSearchParams({ group: groupid, userid, username });
    return make(
      'li',
      { className: 'card bare', data: { key: `bare ${person.faceid}` } },
      heading(person),
      make(
        'a',
        { className: 'button', href: `/add?${query}`, ariaLabel: `${words.enrolPictures}: ${username}` },
        words.enrolPictures,
      ),
    );
  }

  function section<T>(
    title: string,
    explained: string,
    list: { total: number; found: readonly T[] },
    card: (thing: T) => HTMLElement,
  ): HTMLElement[] {
    if (list.found.length === 0) return [];
    const cards = list.found.map(card);
    for (const one of cards) one.hidden = hidden.has(one.dataset.key ?? '');
    const isMore = list.total > list.found.length;
    return [
      make(
        'section',
        {},
        make('h2', { tabIndex: -1 }, `${title} (${formatNumber(list.total)})`),
        make('p', { className: 'quiet-text' }, explained),
        make('ul', { className: 'cards' }, ...cards),
        ...(isMore
          ? [
              make(
                'p',
                { className: 'more' },
                words.moreFound(formatNumber(list.found.length), formatNumber(list.total)),
                ' ',
                button(words.showMore, onMore),
              ),
            ]
          : []),
      ),
    ];
  }

  return {
    show(found: Findings): void {
      const sections = [
        ...section(words.disagreeTitle, words.disagreeExplained, found.disagreeing, disagreement),
        ...section(words.pairsTitle, words.pairsExplained, found.pairs, pair),
        ...section(words.weakTitle, words.weakExplained, found.weak, weak),
        ...section(words.bareTitle, words.bareExplained, found.withoutPictures, bare),
      ];
      if (found.damaged !== null && found.damaged > 0)
        sections.push(
          make(
            'p',
            {},
            make('a', { href: '/status' }, words.damagedFiles(found.damaged, formatNumber(found.damaged))),
          ),
        );
      const isLooked = found.state !== 'none';
      root.replaceChildren(
        ...(sections.length > 0 || !isLooked
          ? sections
          : [make('p', { className: 'card nothing' }, words.nothingFound)]),
      );
    },
  };
}

function heading(person: Person): HTMLElement {
  const link = make('a', { href: `/people?person=${encodeURIComponent(person.faceid)}` }, person.username);
  return make('h3', {}, link, ' ', make('small', {}, person.faceid));
}

/** A picture, or the person's initials where none was kept. */
const face = (person: Person, { thumbnail }: Picture) => portraitOf({ username: person.username, thumbnail });

const side = (person: Person, picture: Picture) =>
  make('div', { className: 'side' }, face(person, picture), heading(person));

const labelled = (person: Person, picture: Picture, text: string) =>
  make('div', { className: 'side' }, face(person, picture), make('p', {}, text));

/** Says of each of two that the other's picture is not theirs. @returns takes it back */
async function tellApart(
  [one, two]: readonly [Person, Person],
  [first, second]: readonly [Picture, Picture],
): Promise<() => Promise<void>> {
  const said: string[] = [];
  const undo = async () => {
    for (const id of said) await call('DELETE', `/api/v1/corrections/${encodeURIComponent(id)}`);
  };
  try {
    said.push(await sayNot(two.faceid, first.face, false));
    said.push(await sayNot(one.faceid, second.face, false));
  } catch (error) {
    await undo().catch(() => undefined);
    throw error;
  }
  return undo;
}
