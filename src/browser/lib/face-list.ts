import { certaintyOf, nameOf, type SeenFace, type Thresholds } from '../logic/faces.js';
import { describeOdds } from '../logic/odds.js';
import { make } from './dom.js';
import { language, words } from './i18n.js';

/** Between two announcements, so that a screen reader can finish a sentence, milliseconds. */
const PAUSE = 2000;

/** The faces as a list of buttons, for keyboards and screen readers, and the live region that announces who is there. */
export function createFaceList(list: HTMLElement, live: HTMLElement, onChosen: (track: number) => void) {
  const rows = new Map<number, HTMLButtonElement>();
  const empty = make('li', { className: 'empty' }, words.nobodyHere);
  let announced = '';
  let waiting: string | undefined;
  let timer: number | undefined;
  list.append(empty);

  function announce(text: string): void {
    waiting = text;
    if (timer !== undefined) return;
    const announceNow = () => {
      timer = undefined;
      if (waiting === undefined || waiting === announced) return;
      announced = waiting;
      live.textContent = waiting;
      timer = window.setTimeout(announceNow, PAUSE);
    };
    announceNow();
  }

  function row(track: number): HTMLButtonElement {
    const known = rows.get(track);
    if (known) return known;
    const button = make('button', { type: 'button', className: 'face', onclick: () => onChosen(track) });
    button.append(make('strong'), make('span', { className: 'where' }), make('meter', { max: 1, min: 0 }));
    rows.set(track, button);
    list.append(make('li', {}, button));
    return button;
  }

  return {
    show(faces: readonly SeenFace[], thresholds: Thresholds | undefined): void {
      const present = new Set(faces.map(({ track }) => track));
      for (const [track, button] of rows) {
        if (present.has(track)) continue;
        button.parentElement?.remove();
        rows.delete(track);
      }
      empty.hidden = faces.length > 0;
      for (const face of faces) fill(row(face.track), face, thresholds);
      const names = faces.map(({ identity }) => nameOf(identity));
      const known = [...new Set(names.filter((name) => name !== ''))].sort();
      announce(words.announce(known, names.filter((name) => name === '').length));
    },
  };
}

function fill(button: HTMLButtonElement, { identity }: SeenFace, thresholds: Thresholds | undefined): void {
  const { level, part } = certaintyOf(identity, thresholds);
  const name = nameOf(identity);
  button.dataset.level = level;
  button.dataset.faceid = identity.faceid;
  const [strong, where, meter] = button.children;
  setText(strong, name === '' ? words.unknownFace : name);
  const group = identity.groupname ?? identity.groupid ?? '';
  const odds = describeOdds(identity, words, language);
  const known = [group, words[level], odds].filter((part) => part !== undefined).join(' · ');
  const unknown = identity.reason ? words.unfit[identity.reason] : words.enrolHere;
  setText(where, name === '' ? unknown : known);
  if (!(meter instanceof HTMLMeterElement)) return;
  meter.hidden = name === '';
  meter.ariaLabel = words[level];
  if (Math.abs(meter.value - part) > 0.01) meter.value = part;
}

/** Writes a text only when it differs, so that screen readers and layout are not disturbed ten times a second. */
function setText(found: Element, text: string): void {
  if (found.textContent !== text) found.textContent = text;
}
