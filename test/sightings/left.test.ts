import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { openLeftSightings } from '../../src/sightings/left.js';
import { sightingsFile } from '../../src/sightings/open.js';
import { openSightingStore } from '../../src/sightings/store/client.js';
import { loadConfig } from '../../src/settings/config.js';
import { openTiny, TINY } from '../support/galleries.js';
import { NOON, part } from '../support/sightings.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const random = seededRandom(9);

/** A gallery with Ann and Bob, who came by while another pack was in use. */
async function left(t: TestContext, date = NOON + 60_000) {
  const folder = await temporaryFolder(t);
  const config = loadConfig({ EMBEDDINGS_DIR: folder, CACHE_DIR: folder });
  const gallery = await openTiny(folder);
  await gallery.createGroup({ groupid: 'g', groupname: 'G' });
  for (const userid of ['ann', 'bob'])
    await gallery.enrol({ groupid: 'g', userid }, randomUnitVector(random, TINY));
  const file = sightingsFile(folder, 'other');
  const open = () => openSightingStore({ file, gap: 1000, pair: 0.5 });
  const store = open();
  const visit = { isEnded: true, votes: [{ ...part('x').votes[0], faceid: 'g-bob' }] };
  await store.ask(
    'writeParts',
    [part('w.1', { isEnded: true }), part('w.2', { ...visit, deviceid: 'b' })],
    NOON,
  );
  await store.close();
  const log = { warn: () => undefined, info: () => undefined };
  const opened = await openLeftSightings({ config, pack: 'tiny', gallery, log, date: () => date });
  t.after(async () => {
    for (const one of opened) await one.close();
    await gallery.close();
  });
  const there = async () => {
    const reader = open();
    const all = await reader.ask('sightings', {}, undefined, 10);
    await reader.close();
    return all.map(({ faceid }) => faceid).sort();
  };
  return { gallery, opened, file, there };
}

describe('sightings of another pack', () => {
  it('lose whoever is deleted, and follow whoever is moved', async (t) => {
    const { gallery, opened, there, file } = await left(t);
    assert.equal(opened.length, 1);
    assert.deepEqual(await there(), ['g-ann', 'g-bob']);
    await gallery.remove('g', 'ann');
    await gallery.movePerson('g-bob', { groupid: 'g', userid: 'bill' });
    for (const one of opened) await one.catchUp();
    assert.deepEqual(await there(), ['g-bill']);
    assert.ok(!(await readFile(file)).includes('g-ann'));
  });

  it('are erased when they are as old as was agreed', async (t) => {
    const { there } = await left(t, NOON + 31 * 86_400_000);
    await until(async () => (await there()).length === 0);
  });
});
