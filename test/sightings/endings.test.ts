import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { GalleryEvent } from '../../src/events/event.js';
import { openLog } from '../../src/events/open-log.js';
import { openGallery } from '../../src/gallery/open.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { loadConfig } from '../../src/settings/config.js';
import { createFindEndings, type Ending } from '../../src/sightings/endings.js';
import { openSightings } from '../../src/sightings/open.js';
import { TINY } from '../support/galleries.js';
import { NOON, part, vote } from '../support/sightings.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const PACK = { id: 'tiny', embedder: { length: TINY } };

/** A folder with a gallery of `g-ann` and `g-bob`, whom a server saw before it was stopped. */
async function stopped(t: TestContext) {
  const folder = await temporaryFolder(t);
  const config = loadConfig({ EMBEDDINGS_DIR: folder, CACHE_DIR: folder });
  const random = seededRandom(4);
  const logs: string[] = [];
  const say = (_what: object, message: string) => void logs.push(message);
  const log = { warn: say as never, info: say as never };

  async function open() {
    const index = createExactIndex(TINY);
    const opened = await openGallery(config, { pack: PACK, index, warn: () => undefined, follow: false });
    return opened.gallery;
  }
  async function serve(
    openEvents = () => openLog({ kind: 'file', folder: `${folder}/events` }, () => undefined),
  ) {
    const gallery = await open();
    const sightings = await openSightings({
      ...{
        config,
        pack: 'tiny',
        pair: 0.5,
        gallery,
        log,
        findEndings: createFindEndings(openEvents),
        date: () => NOON,
      },
    });
    return { gallery, sightings, close: () => sightings.close().then(() => gallery.close()) };
  }

  const before = await serve();
  await before.gallery.createGroup({ groupid: 'g', groupname: 'G' });
  for (const userid of ['ann', 'bob']) {
    await before.gallery.enrol({ groupid: 'g', userid }, randomUnitVector(random, TINY));
    const saw = part(userid, { isEnded: true, deviceid: userid, votes: [vote(`g-${userid}`)] });
    await before.sightings.store.ask('writeParts', [saw], NOON);
  }
  await before.close();
  const enrol = async (userid: string) => {
    const gallery = await open();
    await gallery.enrol({ groupid: 'g', userid }, randomUnitVector(random, TINY));
    await gallery.close();
  };
  return { folder, open, serve, enrol, logs };
}

describe('sightings of whom a program changed while no server ran', () => {
  it('follow whoever was moved, and are erased of whoever was deleted', async (t) => {
    const { open, serve, enrol } = await stopped(t);
    const gallery = await open();
    await gallery.movePerson('g-bob', { groupid: 'g', userid: 'bill' });
    await gallery.movePerson('g-bill', { groupid: 'g', userid: 'ben' });
    await gallery.remove('g', 'ann');
    await gallery.close();
    await enrol('bob');

    const { sightings, close } = await serve();
    t.after(close);
    const names = async () =>
      (await sightings.store.ask('sightings', {}, undefined, 10)).map(({ faceid }) => faceid);
    await until(async () => !(await names()).includes('g-ann'));
    assert.deepEqual(await names(), ['g-ben']);
  });

  it('are not erased while nobody can tell what became of them', async (t) => {
    const { open, serve, logs } = await stopped(t);
    const gallery = await open();
    await gallery.movePerson('g-bob', { groupid: 'g', userid: 'bill' });
    await gallery.close();
    const { sightings, close } = await serve(() => Promise.reject(new Error('away')));
    t.after(close);
    await until(() =>
      Promise.resolve(logs.some((line) => line.startsWith('Old sightings cannot be erased'))),
    );
    const all = await sightings.store.ask('sightings', {}, undefined, 10);
    assert.deepEqual(all.map(({ faceid }) => faceid).sort(), ['g-ann', 'g-bob']);
  });
});

describe('what became of people by the event log', () => {
  const at = (minute: number) => new Date(NOON + minute * 60_000).toISOString();
  const time = (minute: number) => NOON + minute * 60_000;
  let count = 0;
  const event = (kind: GalleryEvent['kind'], minute: number, more: Partial<GalleryEvent>): GalleryEvent => ({
    ...{ kind, at: at(minute), uid: `u${count++}`, worker: 'w', pack: 'tiny', groupid: 'g', ...more },
  });
  const endingsOf = (faceids: string[], ...events: GalleryEvent[]): Promise<Ending[]> => {
    const entries = events.map((one, i) => ({ event: one, id: String(i), before: String(i - 1) }));
    const log = {
      read: (position: string) =>
        Promise.resolve({ entries: position === '' ? entries : [], next: 'end', isLost: false }),
      close: () => Promise.resolve(),
    };
    return createFindEndings(() => Promise.resolve(log))(faceids);
  };

  it('keeps apart the people who had one ID after each other', async () => {
    assert.deepEqual(
      await endingsOf(
        ['g-a'],
        event('removed', 1, { faceid: 'g-a' }),
        event('created', 2, { faceid: 'g-a' }),
        event('moved', 3, { faceid: 'g-b', from: 'g-a' }),
        event('enrolled', 4, { faceid: 'g-a' }),
        event('removed', 5, { faceid: 'g-a' }),
      ),
      [{ faceid: 'g-a', before: time(1) }, { faceid: 'g-a', to: 'g-b', before: time(3) }, { faceid: 'g-a' }],
    );
  });

  it('takes nothing from whom an ID was given to before the clock was set right', async () => {
    assert.deepEqual(
      await endingsOf(
        ['g-a'],
        event('removed', 60, { faceid: 'g-a' }),
        event('created', 1, { faceid: 'g-a' }),
        event('enrolled', 61, { faceid: 'g-a' }),
      ),
      [{ faceid: 'g-a', before: time(1) }],
    );
  });

  it('takes a move that a process left open as made where nothing else was heard of the person', async () => {
    const begun = (more: Partial<GalleryEvent> = {}) =>
      event('begun', 1, { faceid: 'g-b', from: 'g-a', will: 'moved', ...more });
    assert.deepEqual(await endingsOf(['g-a'], begun()), [{ faceid: 'g-a', to: 'g-b' }]);
    const given = begun();
    const givenUp = event('given-up', 2, { faceid: 'g-b', from: 'g-a', of: given.uid });
    assert.deepEqual(await endingsOf(['g-a'], given, givenUp), []);
    const removed = event('removed', 2, { faceid: 'g-a' });
    assert.deepEqual(await endingsOf(['g-a'], begun(), removed), [{ faceid: 'g-a' }]);
    const removal = event('begun', 1, { faceid: 'g-b', will: 'removed' });
    const moved = event('moved', 0, { faceid: 'g-b', from: 'g-a' });
    assert.deepEqual(
      await endingsOf(['g-a'], moved, removal),
      [{ faceid: 'g-a', to: 'g-b' }],
      'whoever lives is not erased',
    );
  });
});
