/** A child that enrols people and deletes every third one, saying so after each, until it is killed. */
import { createFileStore } from '../../src/gallery/store/file-store.js';
import { createGallery } from '../../src/gallery/gallery.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { randomUnitVector, seededRandom } from './vectors.js';

const [, , folder] = process.argv;
const random = seededRandom(3);
const store = createFileStore({ folder, pack: 'tiny', length: 8, warn: () => undefined });
const gallery = await createGallery({ pack: 'tiny', store, index: createExactIndex(8) });
for (let i = 0; ; i++) {
  await gallery.enrol({ groupid: 'default', userid: `u${i}` }, randomUnitVector(random, 8));
  process.stdout.write(`enrolled u${i}\n`);
  if (i % 3 !== 0) continue;
  await gallery.remove('default', `u${i}`);
  process.stdout.write(`removed u${i}\n`);
}
