import { make } from './dom.js';
import { words } from './i18n.js';

/** How far a picture has got on its way into the gallery. */
type PictureState = 'waiting' | 'sending' | 'stored' | 'refused';

interface TrayPicture {
  blob: Blob;
  state: PictureState;
  row: HTMLLIElement;
  url: string;
}

const LABELS: Record<PictureState, string> = {
  waiting: words.pictureWaiting,
  sending: words.pictureSending,
  stored: words.pictureStored,
  refused: words.pictureRefused,
};

/** The pictures that were taken or dropped, each with what became of it. */
export function createPictureTray(list: HTMLElement, onChange: () => void) {
  let pictures: TrayPicture[] = [];

  function remove(picture: TrayPicture): void {
    URL.revokeObjectURL(picture.url);
    picture.row.remove();
    pictures = pictures.filter((other) => other !== picture);
    onChange();
  }

  function mark(picture: TrayPicture, state: PictureState, reason?: string): void {
    picture.state = state;
    picture.row.dataset.state = state;
    const text = picture.row.querySelector('p');
    if (text) text.textContent = reason ?? LABELS[state];
    const removeButton = picture.row.querySelector('button');
    if (removeButton) removeButton.hidden = state === 'sending' || state === 'stored';
    onChange();
  }

  return {
    add(blob: Blob): void {
      const url = URL.createObjectURL(blob);
      const image = make('img', { src: url, alt: words.capturedPicture });
      const removeButton = make(
        'button',
        { type: 'button', className: 'cross', ariaLabel: words.retake, title: words.retake },
        '×',
      );
      const row = make('li', {}, image, make('p'), removeButton);
      const picture: TrayPicture = { blob, state: 'waiting', row, url };
      removeButton.addEventListener('click', () => remove(picture));
      pictures.push(picture);
      list.append(row);
      mark(picture, 'waiting');
    },
    mark,
    clear(): void {
      for (const picture of [...pictures]) remove(picture);
    },
    inState: (state: PictureState): readonly TrayPicture[] =>
      pictures.filter((picture) => picture.state === state),
    get size(): number {
      return pictures.length;
    },
  };
}
