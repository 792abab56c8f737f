/** A process that writes visits, each as often as a worker would, and says which the store has acknowledged; killed at any time. */
import { openSightingStore } from '../../src/sightings/store/client.js';
import { NOON, part, vote } from './sightings.js';

const [file, name, from] = process.argv.slice(2);
const store = openSightingStore({ file, gap: 10_000, pair: 0.5 });
for (let number = Number(from); ; number++) {
  // Of one worker's visits, one is over before the next begins.
  const at = NOON + number * 60_000;
  const visit = { first: at, last: at + 1000, deviceid: name, votes: [vote(`g-${name}`)] };
  await store.ask('writeParts', [part(`${name}.${number}`, { ...visit, frames: 1 })], at);
  await store.ask('writeParts', [part(`${name}.${number}`, { ...visit, frames: 2, isEnded: true })], at);
  process.stdout.write(`${number}\n`);
}
