import { make } from './dom.js';
import { words } from './i18n.js';

/**
 * How far a picture has got on its way into the gallery. `choose`: it shows several faces, and nobody has said whose it is;
 * `odd`: the server holds it for somebody else's.
 */
export type PictureState = 'looking' | 'choose' | 'waiting' | 'sending' | 'stored' | 'refused' | 'odd';

/** A button that a picture offers. */
export interface Offer {
  label: string;
  run: () => void;
  /** A picture in place of the label. */
  picture?: Blob;
}

export interface TrayPicture {
  blob: Blob;
  readonly state: PictureState;
}

interface Held extends TrayPicture {
  state: PictureState;
  row: HTMLLIElement;
  image: HTMLImageElement;
  text: HTMLElement;
  cross: HTMLButtonElement;
  trouble: HTMLLIElement | undefined;
  urls: string[];
}

const LABELS: Record<PictureState, string> = {
  looking: words.pictureLooking,
  choose: words.pictureChoose,
  waiting: words.pictureWaiting,
  sending: words.pictureSending,
  stored: words.pictureStored,
  refused: words.pictureRefused,
  odd: words.pictureOdd,
};

interface TrayEvents {
  /** The user took a picture away. */
  onRemoved: (picture: TrayPicture) => void;
  onChange: () => void;
}

/**
 * The pictures that were taken or chosen, as faces, each with what became of it.
 * @param troubles where what is wrong with a picture is said, with what can be done: the tray is too small for it on a phone
 */
export function createPictureTray(list: HTMLElement, troubles: HTMLElement, events: TrayEvents) {
  let pictures: Held[] = [];

  function urlOf(picture: Held, blob: Blob): string {
    const url = URL.createObjectURL(blob);
    picture.urls.push(url);
    return url;
  }

  function take(picture: Held): void {
    for (const url of picture.urls) URL.revokeObjectURL(url);
    picture.row.remove();
    picture.trouble?.remove();
    pictures = pictures.filter((other) => other !== picture);
    pictures.forEach(name);
    events.onChange();
  }

  /** @param picture and its place, from 0 */
  function name(picture: Held, i: number): void {
    picture.image.alt = words.pictureNumber(i + 1);
    picture.cross.ariaLabel = `${words.leaveOut}: ${words.pictureNumber(i + 1)}`;
  }

  function removeByHand(picture: Held): void {
    const at = pictures.indexOf(picture);
    take(picture);
    events.onRemoved(picture);
    // The focus was on a button that is gone.
    const next = pictures.at(Math.min(at, pictures.length - 1));
    if (next && !next.cross.hidden) next.cross.focus();
    else document.getElementById('enrol')?.focus();
  }

  function tell(picture: Held, reason: string | undefined, offers: readonly Offer[]): void {
    picture.trouble?.remove();
    picture.trouble = undefined;
    if (reason === undefined) return;
    const buttons = offers.map(({ label, run, picture: face }) => {
      const made = make('button', { type: 'button', onclick: run }, label);
      if (!face) return made;
      made.className = 'face-choice';
      made.ariaLabel = label;
      made.replaceChildren(make('img', { src: urlOf(picture, face), alt: '' }));
      return made;
    });
    const number = words.pictureNumber(pictures.indexOf(picture) + 1);
    picture.trouble = make(
      'li',
      { data: { state: picture.state } },
      make('img', { src: picture.image.src, alt: '' }),
      make('p', {}, make('strong', {}, number), ` ${reason}`),
      make('div', { className: 'buttons' }, ...buttons),
    );
    troubles.append(picture.trouble);
  }

  return {
    /** @param thumb the face, cut out; undefined: the whole picture */
    add(blob: Blob, state: PictureState, thumb: Blob | undefined): TrayPicture {
      const image = make('img');
      const text = make('p');
      const cross = make('button', { type: 'button', className: 'cross', title: words.leaveOut }, '×');
      const row = make('li', {}, image, text, cross);
      const picture: Held = { blob, state, row, image, text, cross, trouble: undefined, urls: [] };
      image.src = urlOf(picture, thumb ?? blob);
      cross.addEventListener('click', () => removeByHand(picture));
      pictures.push(picture);
      name(picture, pictures.length - 1);
      list.append(row);
      this.mark(picture, state);
      return picture;
    },
    /**
     * @param reason what is wrong, for the user
     * @param offers what can be done about it
     */
    mark(picture: TrayPicture, state: PictureState, reason?: string, offers: readonly Offer[] = []): void {
      const held = pictures.find((other) => other === picture);
      if (!held) return;
      held.state = state;
      held.row.dataset.state = state;
      held.text.textContent = reason !== undefined && state === 'stored' ? reason : LABELS[state];
      held.cross.hidden = state === 'sending' || state === 'stored';
      tell(held, state === 'stored' ? undefined : reason, offers);
      events.onChange();
    },
    /** Another picture in the place of this one: a face that was cut out of it. */
    replace(picture: TrayPicture, blob: Blob, thumb: Blob): void {
      const held = pictures.find((other) => other === picture);
      if (!held) return;
      held.blob = blob;
      held.image.src = urlOf(held, thumb);
    },
    remove(picture: TrayPicture): void {
      const held = pictures.find((other) => other === picture);
      if (held) take(held);
    },
    /** As the cross does. */
    leaveOut(picture: TrayPicture): void {
      const held = pictures.find((other) => other === picture);
      if (held) removeByHand(held);
    },
    has: (picture: TrayPicture): boolean => pictures.some((other) => other === picture),
    clear(): void {
      for (const picture of [...pictures]) take(picture);
    },
    inState: (...states: PictureState[]): readonly TrayPicture[] =>
      pictures.filter(({ state }) => states.includes(state)),
    get size(): number {
      return pictures.length;
    },
  };
}

export type PictureTray = ReturnType<typeof createPictureTray>;
