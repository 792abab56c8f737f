import { messageOf } from './api.js';
import { make } from './dom.js';
import { formatDate, words } from './i18n.js';
import { listPictures, type Person, type PersonPicture, pictureUrl, removePicture } from './people-api.js';
import { doUnlessUndone } from './undo.js';

interface PicturesDeps {
  mayEdit: boolean;
  onChange: () => void;
}

/** Pictures deleted here that the server still has. */
const removed = new Set<string>();

/** A person's pictures, each of which can be deleted. */
export function showPictures(person: Person, { mayEdit, onChange }: PicturesDeps): HTMLElement {
  const heading = make('h3', { tabIndex: -1 }, words.pictures);
  const list = make('ul', { className: 'tray' });

  /** @param focusOn the picture whose button gets the focus */
  async function fill(focusOn?: string): Promise<void> {
    const pictures = await listPictures(person.faceid);
    list.replaceChildren(...pictures.filter(({ id }) => !removed.has(id)).map(row));
    if (focusOn === undefined) return;
    const rows = [...list.children] as HTMLElement[];
    rows
      .find(({ dataset }) => dataset.id === focusOn)
      ?.querySelector('button')
      ?.focus();
  }
  function refill(focusOn?: string): void {
    if (list.isConnected) fill(focusOn).catch(showError);
  }
  const showError = (error: unknown) => list.replaceChildren(make('li', {}, messageOf(error)));

  function row(picture: PersonPicture): HTMLLIElement {
    const { id, enrolledAt, automatic } = picture;
    const when = formatDate(enrolledAt);
    const made = make('li', { data: { id } });
    made.append(
      // The server shows pictures only to those who may change them.
      picture.picture === true && mayEdit
        ? make('img', { src: pictureUrl(person.faceid, id), alt: when, loading: 'lazy' })
        : make('div', { className: 'no-picture', ariaHidden: 'true' }, '◡'),
      make('p', {}, automatic ? `${when} · ${words.automatic}` : when),
    );
    if (!mayEdit) return made;
    const button = make('button', {
      type: 'button',
      className: 'cross',
      ariaLabel: words.removePicture(when),
      title: words.removePicture(when),
    });
    button.textContent = '×';
    button.addEventListener('click', () => {
      const next = made.nextElementSibling ?? made.previousElementSibling;
      made.remove();
      (next?.querySelector('button') ?? heading).focus();
      remove(id);
    });
    made.append(button);
    return made;
  }

  function remove(id: string): void {
    removed.add(id);
    doUnlessUndone({
      text: words.pictureRemoved,
      failed: words.pictureNotRemoved,
      run: (leaving) => removePicture(person.faceid, id, leaving),
      settled(how) {
        removed.delete(id);
        if (how === 'done') onChange();
        refill(how === 'undone' ? id : undefined);
      },
    });
  }

  fill().catch(showError);
  return make('section', {}, heading, list);
}
