/** A child that enrols a folder of made pictures and says so after each, until it is killed or done. */
import { runBatch } from '../../src/batch/batch.js';
import { openJournal } from '../../src/batch/journal.js';
import { listPictures } from '../../src/batch/list.js';
import { madeGallery, madeVision, SETTINGS } from './batch.js';

const [, , pictures, embeddings, journals] = process.argv;
const gallery = await madeGallery(embeddings);
const { items } = await listPictures(pictures, 'default');
const journal = await openJournal(journals, [pictures]);
await runBatch(items, {
  vision: madeVision(),
  gallery,
  journal,
  ...SETTINGS,
  inFlight: 4,
  onResult: ({ item, outcome }) => process.stdout.write(`${outcome} ${item.name}\n`),
});
await gallery.close();
