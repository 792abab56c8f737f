import { createArrivals } from '../logic/arrivals.js';
import type { SeenFace } from '../logic/faces.js';
import { make, recall, remember } from './dom.js';
import { language, words } from './i18n.js';

const WAYS = ['off', 'chime', 'name'] as const;
type Way = (typeof WAYS)[number];

/** Two notes, a fourth apart, hertz. */
const NOTES = [784, 1047];
/** From one note to the next, and how long each sounds, seconds. */
const STEP = 0.16;
const LENGTH = 0.7;
const LOUDNESS = 0.2;

/** A sound for everybody known who comes: off, a chime, or the spoken name, as chosen in the menu and remembered. */
export function createGreeting(select: HTMLSelectElement) {
  const arrivals = createArrivals();
  let audio: AudioContext | undefined;
  const ways = WAYS.filter((way) => way !== 'name' || 'speechSynthesis' in window);
  select.append(...ways.map((way) => make('option', { value: way }, words.greetings[way])));
  const remembered = recall('greeting');
  select.value = ways.find((way) => way === remembered) ?? 'off';
  select.addEventListener('change', () => {
    remember('greeting', select.value);
    // To hear what was chosen; browsers let a page make sounds only after such a click.
    if (select.value !== 'off') greet([words.greetingSample]);
  });
  // After a reload the browser waits for the first touch.
  document.addEventListener('pointerdown', () => void audio?.resume(), { passive: true });

  function greet(names: readonly string[]): void {
    const way = select.value as Way;
    if (way === 'chime') void chime();
    if (way === 'name') speak(names);
  }

  async function chime(): Promise<void> {
    const context = (audio ??= new AudioContext());
    if (context.state !== 'running') await Promise.race([context.resume(), later()]);
    // A sound that comes much later, with the first touch, would tell of nobody.
    if (context.state === 'running') NOTES.forEach((note, i) => ring(context, note, i * STEP));
  }

  return {
    /** Takes the faces of an answer. */
    show(faces: readonly SeenFace[]): void {
      const names = arrivals.arrived(faces, performance.now());
      if (names.length > 0) greet(names);
    },
  };
}

const later = () => new Promise((resolve) => setTimeout(resolve, 300));

function ring(audio: AudioContext, hertz: number, after: number): void {
  const start = audio.currentTime + after;
  const tone = audio.createOscillator();
  const loudness = audio.createGain();
  tone.frequency.value = hertz;
  loudness.gain.setValueAtTime(0, start);
  loudness.gain.linearRampToValueAtTime(LOUDNESS, start + 0.02);
  loudness.gain.exponentialRampToValueAtTime(0.0001, start + LENGTH);
  tone.connect(loudness).connect(audio.destination);
  tone.start(start);
  tone.stop(start + LENGTH);
}

function speak(names: readonly string[]): void {
  // A crowd that comes at once is not read out for a minute.
  const text = names.slice(0, 3).map(words.spokenName).join(words.spokenPause);
  const said = new SpeechSynthesisUtterance(text);
  said.lang = language;
  speechSynthesis.speak(said);
}
