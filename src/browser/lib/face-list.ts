import { certaintyOf, nameOf, type SeenFace, type Thresholds } from '../logic/faces.js';
import { cropAround } from '../logic/geometry.js';
import { describeOdds } from '../logic/odds.js';
import { createRoster, type RosterRow } from '../logic/roster.js';
import type { StageState } from '../logic/stage-state.js';
import { contextOf, make } from './dom.js';
import { language, words } from './i18n.js';

/** Between two announcements, so that a screen reader can finish a sentence, milliseconds. */
const PAUSE = 2000;
/** Between two cuts of a face that is in the picture, milliseconds. */
const CUT_EVERY = 1000;
/** Pixels of a thumbnail: twice its size on the page. */
const THUMBNAIL = 112;
/** Of the face's size, left around it in its thumbnail. */
const MARGIN = 0.15;

interface FaceListElements {
  list: HTMLElement;
  /** Says what the stage can say of itself. */
  state: HTMLElement;
  /** The live region that announces who is there. */
  live: HTMLElement;
}

interface FaceListEvents {
  onChosen: (face: SeenFace) => void;
  /** The pointer or the focus is on a face's row, or on none any more. */
  onPointed: (track: number | undefined) => void;
}

interface Row {
  item: HTMLLIElement;
  button: HTMLButtonElement;
  thumbnail: HTMLCanvasElement;
  enrolled: HTMLImageElement;
  cutAt: number;
}

/** The faces as a list of buttons that stay where they are, for eyes, keyboards and screen readers. */
export function createFaceList({ list, state, live }: FaceListElements, events: FaceListEvents) {
  const roster = createRoster();
  const rows = new Map<number, Row>();
  const announce = createAnnouncer(live);
  let thresholds: Thresholds | undefined;
  let mayEnrol = false;

  function add(shown: RosterRow): Row {
    const button = make('button', { type: 'button', className: 'face' });
    const thumbnail = make('canvas', { width: THUMBNAIL, height: THUMBNAIL });
    const enrolled = make('img', { alt: '', hidden: true, width: THUMBNAIL, height: THUMBNAIL });
    enrolled.addEventListener('error', () => (enrolled.hidden = true));
    button.append(
      make('span', { className: 'thumbnail' }, thumbnail, enrolled),
      make('strong'),
      make('span', { className: 'where' }),
      make('meter', { max: 1, min: 0 }),
    );
    button.addEventListener('click', () => events.onChosen(shown.face));
    const point = () => events.onPointed(shown.face.track);
    const leave = () => events.onPointed(undefined);
    button.addEventListener('pointerenter', point);
    button.addEventListener('pointerleave', leave);
    button.addEventListener('focus', point);
    button.addEventListener('blur', leave);
    const row = { item: make('li', {}, button), button, thumbnail, enrolled, cutAt: -Infinity };
    list.append(row.item);
    rows.set(shown.id, row);
    return row;
  }

  /** Takes away the rows that the roster has dropped; the focus goes to a neighbour. */
  function sweep(): void {
    const kept = new Set(roster.rows.map(({ id }) => id));
    for (const [id, { item, button }] of rows) {
      if (kept.has(id)) continue;
      const hadFocus = document.activeElement === button;
      const neighbour = item.nextElementSibling ?? item.previousElementSibling;
      item.remove();
      rows.delete(id);
      if (hadFocus) (neighbour?.querySelector('button') ?? list).focus();
    }
  }

  function write(frame: HTMLCanvasElement | undefined, now: number): void {
    sweep();
    for (const shown of roster.rows) {
      const row = rows.get(shown.id) ?? add(shown);
      fill(row, shown, thresholds, mayEnrol);
      if (shown.left || !frame || !row.enrolled.hidden || now - row.cutAt < CUT_EVERY) continue;
      row.cutAt = now;
      cut(row.thumbnail, frame, shown.face);
    }
  }

  return {
    /** Takes the faces of an answer. @param frame the one in which they were found */
    show(
      faces: readonly SeenFace[],
      meant: Thresholds | undefined,
      frame: HTMLCanvasElement | undefined,
    ): void {
      const now = performance.now();
      thresholds = meant;
      roster.update(faces, now);
      write(frame, now);
      const names = faces.map(({ identity }) => nameOf(identity));
      const known = [...new Set(names.filter((name) => name !== ''))].sort();
      announce(words.announce(known, names.filter((name) => name === '').length));
    },
    /** Lets rows go whose faces left a while ago. */
    tidy(): void {
      if (!roster.waits) return;
      roster.drop(performance.now());
      sweep();
    },
    /** Nothing is known of any face any more. */
    clear(): void {
      roster.clear();
      sweep();
    },
    /** Says what the stage can say of itself; it is announced where no notice and no list of names does it. */
    say(now: StageState, found: number): void {
      state.dataset.state = now;
      setText(state, now === 'faces' ? words.facesHere(found) : words.stageStates[now]);
      if (now === 'paused') announce(words.stageStates.paused);
      else if (now !== 'faces' && now !== 'nobody') announce('');
    },
    /** Marks the row of a face that is pointed at in the picture. */
    mark(track: number | undefined): void {
      for (const { id, face } of roster.rows) {
        rows.get(id)?.button.classList.toggle('pointed', face.track === track);
      }
    },
    /** Whether unknown faces can be enrolled from here. */
    setMayEnrol(may: boolean): void {
      mayEnrol = may;
      write(undefined, performance.now());
    },
  };
}

/** Announces texts politely, the latest one when several come in a row. */
function createAnnouncer(live: HTMLElement): (text: string) => void {
  let announced = '';
  let waiting: string | undefined;
  let timer: number | undefined;
  const announceNow = () => {
    timer = undefined;
    if (waiting === undefined || waiting === announced) return;
    announced = waiting;
    live.textContent = waiting;
    timer = window.setTimeout(announceNow, PAUSE);
  };
  return (text) => {
    waiting = text;
    if (timer === undefined) announceNow();
  };
}

/** Cuts a face out of its frame. */
function cut(canvas: HTMLCanvasElement, frame: HTMLCanvasElement, { box }: SeenFace): void {
  const { x, y, width, height } = cropAround(box, frame, MARGIN);
  // A cut at the frame's edge is not square: its middle is taken.
  const side = Math.min(width, height);
  const left = x + (width - side) / 2;
  const top = y + (height - side) / 2;
  contextOf(canvas).drawImage(frame, left, top, side, side, 0, 0, canvas.width, canvas.height);
}

function fill(
  { button, enrolled }: Row,
  { face: { identity, track }, left }: RosterRow,
  thresholds: Thresholds | undefined,
  mayEnrol: boolean,
): void {
  const { level, part } = certaintyOf(identity, thresholds);
  const name = nameOf(identity);
  if (button.dataset.faceid !== identity.faceid) setPicture(enrolled, identity.thumbnail ?? undefined);
  button.dataset.level = level;
  button.dataset.faceid = identity.faceid;
  button.dataset.track = String(track);
  button.classList.toggle('left', left);
  const [, strong, where, meter] = button.children;
  setText(strong, name === '' ? words.unknownFace : name);
  const group = identity.groupname ?? identity.groupid ?? '';
  const odds = describeOdds(identity, words, language);
  const known = [group, words.levels[level], odds].filter((part) => part !== undefined).join(' · ');
  const invited = mayEnrol ? words.enrolHere : '';
  const unknown = identity.reason ? words.unfit[identity.reason] : invited;
  setText(where, left ? words.hasLeft : name === '' ? unknown : known);
  if (!(meter instanceof HTMLMeterElement)) return;
  meter.hidden = name === '' || left;
  meter.ariaLabel = words.levels[level];
  if (Math.abs(meter.value - part) > 0.01) meter.value = part;
}

/** Shows the enrolled picture, once it is there; the cut of the live face until then. */
function setPicture(image: HTMLImageElement, address: string | undefined): void {
  image.hidden = true;
  image.removeAttribute('src');
  if (address === undefined) return;
  image.onload = () => (image.hidden = false);
  image.src = address;
}

/** Writes a text only when it differs, so that screen readers and layout are not disturbed ten times a second. */
function setText(found: Element, text: string): void {
  if (found.textContent !== text) found.textContent = text;
}
