import { messageOf } from './api.js';
import { openDialog } from './dialog.js';
import { make } from './dom.js';
import { words } from './i18n.js';
import { listPeople, listPictures, type Person, pictureUrl } from './people-api.js';
import { facts } from './person-dialog.js';
import { field, type Group } from './person-fields.js';
import { portraitOf } from './portrait.js';

/** From the last keystroke to the search, milliseconds. */
const TYPING = 200;
/** People shown as found; who is not among them is found by more letters. */
const FOUND = 12;
/** Pictures shown of each of the two. */
const SHOWN = 4;

interface MergeDeps {
  groups: readonly Group[];
  /** People who are about to be deleted. */
  isHidden: (faceid: string) => boolean;
  /** @param into keeps name and ID, and gets the pictures of `from`, who is deleted */
  onMerge: (into: Person, from: Person) => void;
}

/**
 * Two people side by side, for somebody to see whether they are the same. Nobody is chosen beforehand but the one it is
 * about, or both where both were chosen in the list.
 */
export function openMerge(person: Person, chosen: Person | undefined, deps: MergeDeps): void {
  const mine = make('div', { className: 'side' });
  const other = make('div', { className: 'side' });
  const dialog = openDialog(words.samePerson, [
    make('p', {}, words.samePersonExplained),
    make('div', { className: 'sides' }, mine, other),
  ]);
  dialog.root.classList.add('wide', 'merge');

  function showBoth(second: Person): void {
    mine.replaceChildren(sideOf(person, deps.groups), keepButton(person, second));
    other.replaceChildren(sideOf(second, deps.groups), keepButton(second, person), changeButton());
    other.querySelector<HTMLElement>('h3')?.focus();
  }

  function keepButton(into: Person, from: Person): HTMLElement {
    const button = make('button', { type: 'button', className: 'keep' }, words.keepPerson(into.username));
    button.addEventListener('click', () => {
      dialog.close();
      deps.onMerge(into, from);
    });
    const what = make('p', {}, words.mergeDirection(from.username, into.username, from.faces));
    return make('div', { className: 'direction' }, button, what);
  }

  function changeButton(): HTMLButtonElement {
    const button = make('button', { type: 'button', className: 'quiet' }, words.chooseAnother);
    button.addEventListener('click', chooseOther);
    return button;
  }

  function chooseOther(): void {
    mine.replaceChildren(sideOf(person, deps.groups));
    const search = make('input', {
      id: 'merge-search',
      type: 'search',
      autocomplete: 'off',
      placeholder: words.searchPeople,
    });
    const found = make('ul', { className: 'found' });
    const outcome = make('p', { role: 'status' });
    let searches = 0;
    let typing: number | undefined;
    const find = async () => {
      const mySearch = ++searches;
      const text = search.value.trim();
      if (text === '') {
        found.replaceChildren();
        outcome.textContent = '';
        return;
      }
      const { people } = await listPeople({ search: text, sort: 'name', limit: FOUND + 1 });
      if (mySearch !== searches) return;
      const others = people.filter(({ faceid }) => faceid !== person.faceid && !deps.isHidden(faceid));
      found.replaceChildren(...others.slice(0, FOUND).map((each) => foundRow(each)));
      outcome.textContent = others.length === 0 ? words.nobodyMatches : '';
    };
    const foundRow = (each: Person) => {
      const button = make(
        'button',
        { type: 'button', data: { faceid: each.faceid } },
        portraitOf(each),
        make('span', {}, make('strong', {}, each.username), facts(each, deps.groups)),
      );
      button.addEventListener('click', () => showBoth(each));
      return make('li', {}, button);
    };
    search.addEventListener('input', () => {
      window.clearTimeout(typing);
      typing = window.setTimeout(() => {
        find().catch((error: unknown) => (outcome.textContent = messageOf(error)));
      }, TYPING);
    });
    other.replaceChildren(field(words.otherPersonSearch, search), outcome, found);
    search.focus();
  }

  if (chosen) showBoth(chosen);
  else chooseOther();
}

/** A person large enough to be compared: the face, what tells them apart, more pictures. */
function sideOf(person: Person, groups: readonly Group[]): HTMLElement {
  const more = make('div', { className: 'more-faces' });
  if (person.thumbnail) {
    listPictures(person.faceid).then(
      (pictures) => {
        const shown = pictures.filter(({ picture }) => picture === true).slice(0, SHOWN);
        const images = shown.map(({ id }) => make('img', { src: pictureUrl(person.faceid, id), alt: '' }));
        if (images.length > 1) more.replaceChildren(...images);
      },
      // The face above is enough.
      () => undefined,
    );
  }
  return make(
    'div',
    { className: 'compared' },
    portraitOf(person),
    make('h3', { tabIndex: -1 }, person.username),
    facts(person, groups),
    more,
  );
}
