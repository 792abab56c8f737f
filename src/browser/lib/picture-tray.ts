import { make } from './dom.js';
import { words } from './i18n.js';

/** How far a picture has come on its way into the gallery. */
export type PictureState = 'waiting' | 'sending' | 'stored' | 'refused';

export interface TrayPicture {
  blob: Blob;
  state: PictureState;
  row: HTMLLIElement;
  address: string;
}

const LABELS: Record<PictureState, string> = {
  waiting: words.pictureWaiting,
  sending: words.pictureSending,
  stored: words.pictureStored,
  refused: words.pictureRefused,
};

/** The pictures that were taken or dropped, each with what became of it. */
export type PictureTray = ReturnType<typeof createPictureTray>;

export function createPictureTray(list: HTMLElement, onChange: () => void) {
  let pictures: TrayPicture[] = [];

  function remove(picture: TrayPicture): void {
    URL.revokeObjectURL(picture.address);
    picture.row.remove();
    pictures = pictures.filter((other) => other !== picture);
    onChange();
  }

  function mark(picture: TrayPicture, state: PictureState, reason?: string): void {
    picture.state = state;
    picture.row.dataset.state = state;
    const text = picture.row.querySelector('p');
    if (text) text.textContent = reason ?? LABELS[state];
    const cross = picture.row.querySelector('button');
    if (cross) cross.hidden = state === 'sending' || state === 'stored';
    onChange();
  }

  return {
    add(blob: Blob): void {
      const address = URL.createObjectURL(blob);
      const image = make('img', { src: address, alt: words.capturedPicture });
      const cross = make(
        'button',
        { type: 'button', className: 'cross', ariaLabel: words.retake, title: words.retake },
        '×',
      );
      const row = make('li', {}, image, make('p'), cross);
      const picture: TrayPicture = { blob, state: 'waiting', row, address };
      cross.addEventListener('click', () => remove(picture));
      pictures.push(picture);
      list.append(row);
      mark(picture, 'waiting');
    },
    mark,
    clear(): void {
      for (const picture of [...pictures]) remove(picture);
    },
    of: (state: PictureState): readonly TrayPicture[] =>
      pictures.filter((picture) => picture.state === state),
    get size(): number {
      return pictures.length;
    },
  };
}
