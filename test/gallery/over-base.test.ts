/** What holds for a gallery in memory holds for one whose people are all in a base: the same tests. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openTiny, putOverBases } from '../support/galleries.js';
import { temporaryFolder } from '../support/temporary.js';

putOverBases();

it('a gallery says which snapshot it lies over, to those who may see all of it', async (t) => {
  const gallery = await openTiny(await temporaryFolder(t));
  await gallery.createPerson({ groupid: 'default', userid: 'a' });
  const { index, snapshot } = gallery.info();
  assert.equal(index, 'plain');
  assert.deepEqual(snapshot, { number: 2, recall: 1, newer: 0, newerIndex: 'exact' });
  assert.equal(gallery.info(new Set(['default'])).snapshot, undefined);
});

await import('./gallery.test.js');
await import('./operations.test.js');
await import('./searched.test.js');
await import('./followed-moves.test.js');
await import('./templates.test.js');
await import('./corrections.test.js');
await import('./across-packs.test.js');
await import('./damaged.test.js');
