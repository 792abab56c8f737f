import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Config } from '../../src/settings/config.js';
import type { Gallery } from '../../src/gallery/types.js';
import { createAutoEnroller } from '../../src/identity/auto-enrol.js';
import { createEnrolments, createSearches, UNLIMITED } from '../../src/identity/counted-work.js';
import { createEnroller } from '../../src/identity/enrol.js';
import { face, scriptedVision, testApp, unitVector } from '../support/app.js';
import { LIMITS } from '../support/batch.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { until } from '../support/until.js';

const DAY = 86_400_000;
const KEN = { groupid: 'default', userid: 'ken' };

/** An app with automatic enrolment and one person, enrolled by hand. */
async function appWithKen(t: TestContext, settings: Partial<Config> = {}) {
  const made = await testApp(t, { AUTO_ENROL: true, SAVE_DISTANCE: 0.2, ...settings });
  await made.gallery.enrol(KEN, unitVector(0));
  return made;
}
type Made = Awaited<ReturnType<typeof appWithKen>>;

async function recognise({ app, vision }: Made, ...distances: number[]): Promise<void> {
  vision.faces = distances.map((distance) => face(100, distance));
  const request = await form(['image', await greyJpeg()], ['deviceid', '']);
  const answer = await app.inject({ method: 'POST', url: '/api/face_recognizer', ...request });
  assert.equal(answer.statusCode, 200);
}

const facesOf = async (gallery: Gallery) => (await gallery.person('default-ken'))?.faces ?? [];
const automaticOf = async (gallery: Gallery) => (await facesOf(gallery)).filter(({ automatic }) => automatic);

/** An enroller over a gallery, whose pending work can be awaited. */
function enrollerOf(gallery: Gallery, more: Partial<Parameters<typeof createAutoEnroller>[0]> = {}) {
  const log = { info: () => undefined, warn: () => undefined };
  const rules = { distance: () => 0.2, interval: 2, minimum: 2, maximum: 10 };
  const byHand = createEnroller({
    ...{ searches: createSearches(UNLIMITED), enrolments: createEnrolments(UNLIMITED) },
    ...{
      gallery,
      nearest: (embedding, k) => gallery.nearest(embedding, k),
      limits: LIMITS,
      decision: { threshold: () => 0.5, apart: () => 0.5 },
    },
    ...{ vision: scriptedVision(1e6), doubleSeconds: 0, keepFaces: false },
  });
  const enroller = createAutoEnroller({ gallery, log, enroller: byHand, ...rules, ...more });
  return async (distance: number, { size = 100, later = 0 } = {}) => {
    const probe = face(size, distance);
    const [match] = await gallery.nearest(probe.embedding ?? unitVector(0), 1);
    enroller.consider(probe, match, Date.now() + later);
    await until(() => enroller.pending() === 0);
  };
}

describe('Automatic enrolment', () => {
  it('is off unless it is asked for', async (t) => {
    const made = await appWithKen(t, { AUTO_ENROL: false });
    await recognise(made, 0.05);
    await made.app.close();
    assert.equal((await facesOf(made.gallery)).length, 1);
  });

  it('saves a face that is recognised beyond doubt, marked as automatic', async (t) => {
    const made = await appWithKen(t);
    await recognise(made, 0.05);
    await until(async () => (await automaticOf(made.gallery)).length === 1);
    assert.ok(made.log.some(({ msg }) => msg === 'Enrolled automatically'));
  });

  it('saves nothing at or above SAVE_DISTANCE, and nobody who is not named', async (t) => {
    const { gallery } = await appWithKen(t);
    const consider = enrollerOf(gallery);
    await consider(0.2);
    await consider(0.6);
    assert.equal((await facesOf(gallery)).length, 1);
    await consider(0.19);
    assert.equal((await facesOf(gallery)).length, 2);
  });

  it('waits SAVE_INTERVAL days once there are SAVE_MINIMUM faces', async (t) => {
    const { gallery } = await appWithKen(t);
    const consider = enrollerOf(gallery, { minimum: 2, interval: 2 });
    await consider(0.01);
    await consider(0.02);
    assert.equal((await facesOf(gallery)).length, 2);
    await consider(0.02, { later: 1.9 * DAY });
    assert.equal((await facesOf(gallery)).length, 2);
    await consider(0.02, { later: 2.1 * DAY });
    assert.equal((await facesOf(gallery)).length, 3);
  });

  it('saves at most SAVE_MAXIMUM faces of a person', async (t) => {
    const { gallery } = await appWithKen(t);
    const consider = enrollerOf(gallery, { minimum: 100, maximum: 3 });
    for (let i = 1; i <= 6; i++) await consider(i / 100);
    assert.equal((await automaticOf(gallery)).length, 3);
  });

  it('never drifts: a face counts by its distance to one that was enrolled by hand', async (t) => {
    const { gallery } = await appWithKen(t);
    const consider = enrollerOf(gallery, { minimum: 100 });
    await consider(0.15);
    assert.equal((await facesOf(gallery)).length, 2);
    await consider(0.4);
    assert.equal((await facesOf(gallery)).length, 2, 'near to the automatic one alone');
  });

  it('leaves small faces alone', async (t) => {
    const { gallery } = await appWithKen(t);
    await enrollerOf(gallery)(0.01, { size: 39 });
    assert.equal((await facesOf(gallery)).length, 1);
  });

  it('saves one of the faces that several frames bring at once', async (t) => {
    const made = await appWithKen(t);
    await Promise.all([recognise(made, 0.01, 0.02), recognise(made, 0.03)]);
    await until(async () => (await automaticOf(made.gallery)).length > 0);
    await made.app.close();
    assert.equal((await automaticOf(made.gallery)).length, 1);
  });

  it('is undone by one call, in one group or in all', async (t) => {
    const made = await appWithKen(t);
    await made.gallery.createGroup({ groupid: 'g2', groupname: '' });
    for (const person of [KEN, { groupid: 'g2', userid: 'ann' }]) {
      for (const automatic of [false, true, true]) {
        await made.gallery.enrol({ ...person, automatic }, unitVector(1));
      }
    }
    const undo = async (query: string) =>
      (await made.app.inject({ method: 'DELETE', url: `/api/v1/faces/automatic${query}` })).json<unknown>();
    assert.deepEqual(await undo('?groupid=g2'), { deleted: 2 });
    assert.equal((await automaticOf(made.gallery)).length, 2);
    assert.deepEqual(await undo(''), { deleted: 2 });
    assert.deepEqual(await undo(''), { deleted: 0 });
    assert.equal((await facesOf(made.gallery)).length, 2);
    assert.equal((await made.gallery.person('g2-ann'))?.faces.length, 1);
  });
});
