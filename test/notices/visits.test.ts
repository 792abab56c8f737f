import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { openGallery } from '../../src/gallery/open.js';
import { openNotices } from '../../src/notices/open.js';
import { POST_TIMES } from '../../src/notices/post.js';
import { loadConfig } from '../../src/settings/config.js';
import { sightingsFile } from '../../src/sightings/open.js';
import { openSightingStore, type SightingStore } from '../../src/sightings/store/client.js';
import type { VisitPart } from '../../src/sightings/types.js';
import { TINY } from '../support/galleries.js';
import { SECRET, startReceiver } from '../support/receiver.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

const GAP = 10_000;
const VECTOR = Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0);

/** A visit of five seconds. @param faceid nobody's where left out */
const part = (uid: string, first: number, faceid?: string): VisitPart => ({
  ...{ uid, deviceid: 'door', first, last: first + 5000, frames: 10, fits: 5, nobody: faceid ? 0 : 100 },
  votes: faceid ? [{ faceid, weight: 100, distance: 0.2, odds: 5, oddsAtMost: false }] : [],
  best: {
    ...{ score: 0.5, vector: VECTOR, crop: Uint8Array.of(1, 2, 3) },
    ...{ size: 100, sharpness: 50, yaw: 0, pitch: 0, roll: 0 },
  },
  isEnded: false,
});

async function open(t: TestContext, url: string) {
  const folder = path.join(await temporaryFolder(t), 'embeddings');
  const config = loadConfig({
    EMBEDDINGS_DIR: folder,
    ...{
      WEBHOOKS: url,
      WEBHOOK_SECRET: SECRET,
      WEBHOOK_PRIVATE: 'true',
      NOTICE_TYPES: 'arrived,left,unknown',
    },
  });
  const { gallery } = await openGallery(config, {
    ...{ pack: { id: 'tiny', embedder: { length: TINY } }, index: createExactIndex(TINY), follow: true },
    warn: () => undefined,
  });
  const store: SightingStore = openSightingStore({
    file: sightingsFile(folder, 'tiny'),
    gap: GAP,
    pair: 0.5,
  });
  const notices = await openNotices(config, {
    ...{
      gallery,
      pack: 'tiny',
      sightings: { store, isShared: false },
      warn: () => undefined,
      note: () => undefined,
    },
    times: { ...POST_TIMES, turn: 50, look: 20, poll: 20, retry: 20, longest: 100 },
  });
  t.after(async () => {
    await notices?.close();
    await gallery.close();
    await store.close();
  });
  const vectorOf = VECTOR.slice();
  await gallery
    .enrol({ groupid: 'staff', userid: 'hanako', username: '山田 花子' }, vectorOf)
    .catch(async () => {
      await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
      await gallery.enrol({ groupid: 'staff', userid: 'hanako', username: '山田 花子' }, vectorOf);
    });
  // Who is told first hears of what happens from then on.
  await until(() => notices?.info().receivers.length === 1);
  await store.ask('lastHappening');
  return { gallery, store };
}

describe('notices of visits', () => {
  it('tell who came and went at which camera, while the receiver was away, too', async (t) => {
    const receiver = await startReceiver(t);
    const { store } = await open(t, receiver.url);
    const now = Date.now();
    await store.ask('writeParts', [part('w.1', now, 'staff-hanako')], now);
    await until(() => receiver.received.length === 1);
    const [{ id, at, sighting, ...arrived }] = receiver.once();
    assert.match(`${id} ${at}`, /^visit-\S+ \d{4}-\S+Z$/);
    assert.deepEqual(arrived, {
      ...{ type: 'arrived', deviceid: 'door', present: 1, picture: `/api/v1/sightings/${sighting}/picture` },
      person: { faceid: 'staff-hanako', groupid: 'staff', userid: 'hanako', username: '山田 花子' },
    });
    await receiver.stop();
    const later = now + 5000 + 2 * GAP;
    await store.ask('writeParts', [{ ...part('w.1', now, 'staff-hanako'), isEnded: true }], later);
    await store.ask('closeVisits', later);
    await store.ask('writeParts', [part('w.2', later)], later);
    await receiver.start();
    await until(() => receiver.once().length === 3);
    const [, left, unknown] = receiver.once();
    assert.deepEqual([left.type, left.sighting, left.present], ['left', sighting, 0]);
    assert.deepEqual([unknown.type, unknown.person, unknown.deviceid], ['unknown', undefined, 'door']);
    for (const { body } of receiver.received) assert.ok(!/vector|crop|distance/.test(body));
  });

  it('name nobody who was deleted meanwhile, and tell nothing of a sighting that was', async (t) => {
    const receiver = await startReceiver(t);
    const { store, gallery } = await open(t, receiver.url);
    await receiver.stop();
    const now = Date.now();
    await store.ask('writeParts', [part('w.1', now, 'staff-hanako'), part('w.2', now + 60_000)], now);
    await gallery.remove('staff', 'hanako');
    await store.ask('erasePeople', [{ faceid: 'staff-hanako' }]);
    await receiver.start();
    await until(() => receiver.received.length === 1);
    assert.equal(receiver.received[0].notice.type, 'unknown');
    assert.ok(!receiver.received[0].body.includes('hanako'));
  });
});
