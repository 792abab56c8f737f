import { createArrivals } from '../logic/arrivals.js';
import type { SeenFace } from '../logic/faces.js';
import { createChime } from './chime.js';
import { make, recall, remember } from './dom.js';
import { language, words } from './i18n.js';

const WAYS = ['off', 'chime', 'name'] as const;
type Way = (typeof WAYS)[number];

/** Two notes a fourth apart. */
const HELLO = { notes: [784, 1047], step: 0.16, length: 0.7, loudness: 0.2 };

/** A sound for everybody known who comes: off, a chime, or the spoken name, as chosen in the menu and remembered. */
export function createGreeting(select: HTMLSelectElement) {
  const arrivals = createArrivals();
  const chime = createChime(HELLO);
  const ways = WAYS.filter((way) => way !== 'name' || 'speechSynthesis' in window);
  select.append(...ways.map((way) => make('option', { value: way }, words.greetings[way])));
  const remembered = recall('greeting');
  select.value = ways.find((way) => way === remembered) ?? 'off';
  select.addEventListener('change', () => {
    remember('greeting', select.value);
    // To hear what was chosen; browsers let a page make sounds only after such a click.
    if (select.value !== 'off') greet([words.greetingSample]);
  });

  function greet(names: readonly string[]): void {
    const way = select.value as Way;
    if (way === 'chime') void chime.play();
    if (way === 'name') speak(names);
  }

  return {
    /** Takes the faces of an answer. */
    show(faces: readonly SeenFace[]): void {
      const names = arrivals.arrived(faces, performance.now());
      if (names.length > 0) greet(names);
    },
  };
}

function speak(names: readonly string[]): void {
  // A crowd that comes at once is not read out for a minute.
  const text = names.slice(0, 3).map(words.spokenName).join(words.spokenPause);
  const said = new SpeechSynthesisUtterance(text);
  said.lang = language;
  speechSynthesis.speak(said);
}
