import { openDialog } from './dialog.js';
import { make } from './dom.js';
import { words } from './i18n.js';
import { listPictures, type Person, pictureUrl } from './people-api.js';
import { facts } from './person-facts.js';
import type { Group } from './person-fields.js';
import { createPersonSearch } from './person-search.js';
import { portraitOf } from './portrait.js';

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
    const { nodes, input } = createPersonSearch('merge-search', words.otherPersonSearch, {
      groups: deps.groups,
      isLeftOut: ({ faceid }) => faceid === person.faceid || deps.isHidden(faceid),
      onChosen: showBoth,
    });
    other.replaceChildren(...nodes);
    input.focus();
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
