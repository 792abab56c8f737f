import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../../src/access/keys.js';
import { KaomonError } from '../../../src/platform/errors.js';
import { face, PACK, testApp, unitVector } from '../../support/app.js';
import { form } from '../../support/form.js';
import { greyJpeg } from '../../support/pictures.js';
import { keepVisit, vote } from '../../support/sightings.js';

interface Correction {
  id: string;
  faceid: string;
  picture: string | null;
}

const URL = '/api/v1/corrections';
const WRONG = 0.2;

/** Ada at 0, Bob at 1.2; the camera sees somebody at {@link WRONG}, who is taken for Ada. */
async function stand(t: TestContext, settings: Parameters<typeof testApp>[1] = {}) {
  const test = await testApp(t, settings);
  const { app, gallery, vision } = test;
  await gallery.createGroup({ groupid: 'staff', groupname: '' });
  await gallery.enrol({ groupid: 'staff', userid: 'ada', username: 'Ada' }, unitVector(0));
  await gallery.enrol({ groupid: 'default', userid: 'bob' }, unitVector(1.2));
  vision.faces = [face(100, WRONG)];
  const image = await greyJpeg();
  const named = async (query = '') => {
    const answer = await app.inject({
      ...{ method: 'POST', url: `/api/v1/recognise${query}` },
      ...(await form(['image', image])),
    });
    return answer
      .json<{ faces: { matches: { faceid: string }[] }[] }>()
      .faces[0].matches.map(({ faceid }) => faceid);
  };
  const say = async (faceid = 'staff-ada', headers: Record<string, string> = {}) => {
    const { payload, headers: own } = await form(['image', image], ['faceid', faceid]);
    return app.inject({ method: 'POST', url: URL, payload, headers: { ...own, ...headers } });
  };
  const list = async (query = '') =>
    (await app.inject(`${URL}${query}`)).json<{ total: number; corrections: Correction[]; next?: string }>();
  return { ...test, image, named, say, list };
}

describe('"not this person"', () => {
  it('is said of a picture, heeded at once, listed, and taken back', async (t) => {
    const { app, named, say, list } = await stand(t);
    assert.deepEqual(await named(), ['staff-ada']);
    const said = await say();
    assert.equal(said.statusCode, 201, said.body);
    const { id, faceid, picture } = said.json<Correction>();
    assert.deepEqual([faceid, picture], ['staff-ada', null]);
    assert.deepEqual(await named(), ['default-bob'], 'the next who is near enough');
    assert.deepEqual(await named('?groups=staff'), []);
    assert.equal((await say()).statusCode, 200, 'said before');
    assert.deepEqual(await list(), { total: 1, corrections: [said.json()] });
    assert.deepEqual((await list('?faceid=default-bob')).corrections, []);
    const removal = await app.inject({ method: 'DELETE', url: `${URL}/${id}` });
    assert.equal(removal.statusCode, 204);
    assert.deepEqual(await named(), ['staff-ada']);
    const again = await app.inject({ method: 'DELETE', url: `${URL}/${id}` });
    assert.equal(again.json<{ code: string }>().code, 'CORRECTION_UNKNOWN');
  });

  it('is said of a vector of this pack', async (t) => {
    const { app, named } = await stand(t);
    const vector = [...unitVector(WRONG)].map((value) => value * 3);
    const send = (payload: object) => app.inject({ method: 'POST', url: URL, payload });
    assert.equal(
      (await send({ faceid: 'staff-ada', vector })).json<{ code: string }>().code,
      'FIELD_MISSING',
    );
    const other = await send({ faceid: 'staff-ada', vector, pack: 'other' });
    assert.equal(other.json<{ code: string }>().code, 'OTHER_PACK');
    const none = await send({ faceid: 'staff-ada' });
    assert.equal(none.json<{ code: string }>().code, 'IMAGE_MISSING');
    const nobody = await send({ faceid: 'staff-nobody', vector, pack: PACK.id });
    assert.equal(nobody.json<{ code: string }>().code, 'PERSON_UNKNOWN');
    assert.equal((await send({ faceid: 'staff-ada', vector, pack: PACK.id })).statusCode, 201);
    assert.deepEqual(await named(), ['default-bob']);
  });

  it('keeps the face where faces are kept, for whoever may enrol', async (t) => {
    const { app, vision, say } = await stand(t, { KEEP_FACES: true });
    vision.faces = [{ ...face(100, WRONG), crop: Uint8Array.of(1, 2) }];
    const { picture } = (await say()).json<Correction>();
    assert.ok(picture);
    const answer = await app.inject(picture);
    assert.deepEqual([answer.headers['content-type'], [...answer.rawPayload]], ['image/png', [1, 2]]);
  });

  it('makes a person not the same in a verification, and an enrolment of the face a question', async (t) => {
    const { app, gallery, say, image } = await stand(t);
    await gallery.remove('default', 'bob');
    const verify = async () =>
      (
        await app.inject({
          ...{ method: 'POST', url: '/api/v1/verify' },
          ...(await form(['image', image], ['faceid', 'staff-ada'])),
        })
      ).json<{ same: boolean; corrected: boolean; distance: number }>();
    assert.deepEqual([(await verify()).same, (await verify()).corrected], [true, false]);
    await say();
    const after = await verify();
    assert.deepEqual([after.same, after.corrected, after.distance < 0.21], [false, true, true]);
    const enrol = async (query = '') =>
      app.inject({
        ...{ method: 'POST', url: `/api/v1/people/staff-ada/faces${query}` },
        ...(await form(['image', image])),
      });
    const refused = (await enrol()).json<{ code: string; details: object }>();
    assert.equal(refused.code, 'NOT_THE_SAME_PERSON');
    assert.ok('corrected' in refused.details);
    assert.equal((await enrol('?force=true')).statusCode, 201, 'it is meant');
  });

  it('pages through many, by person and date', async (t) => {
    const { gallery, list } = await stand(t);
    for (let i = 0; i < 5; i++) await gallery.correct('staff-ada', unitVector(0.3 + i / 100));
    await gallery.correct('default-bob', unitVector(1));
    const all = (await list()).corrections.map(({ id }) => id);
    const paged: string[] = [];
    for (let after: string | undefined = ''; after !== undefined;) {
      const page: { corrections: Correction[]; next?: string } = await list(
        `?limit=2${after && `&after=${after}`}`,
      );
      paged.push(...page.corrections.map(({ id }) => id));
      after = page.next;
    }
    assert.deepEqual(paged, all);
    assert.equal(all.length, 6);
  });

  it('is said of a sighting, which has no name then, and its name again when that is taken back, even of who has moved', async (t) => {
    const { app, gallery, named, sightings } = await stand(t, { SIGHTINGS: true });
    assert.ok(sightings);
    await keepVisit(sightings, 'w.1', { votes: [vote('staff-ada')] }, WRONG);
    // Asking who is named makes a sighting as well.
    const who = async () =>
      (await app.inject('/api/v1/sightings'))
        .json<{ sightings: { id: number; person: { faceid: string } | null }[] }>()
        .sightings.find(({ id }) => id === 1)?.person?.faceid;
    assert.equal(await who(), 'staff-ada');
    const said = await app.inject({ method: 'POST', url: URL, payload: { sighting: 1 } });
    assert.equal(said.statusCode, 201, said.body);
    assert.equal(await who(), undefined);
    assert.deepEqual(await named(), ['default-bob'], 'the face that was seen is not hers from now on');
    const again = await app.inject({ method: 'POST', url: URL, payload: { sighting: 1 } });
    assert.equal(again.json<{ code: string }>().code, 'CORRECTION_REFUSED');
    const none = await app.inject({ method: 'POST', url: URL, payload: { sighting: 9 } });
    assert.equal(none.json<{ code: string }>().code, 'SIGHTING_UNKNOWN');
    await gallery.movePerson('staff-ada', { groupid: 'default', userid: 'ada' });
    const [{ id }] = gallery.corrections();
    assert.equal((await app.inject({ method: 'DELETE', url: `${URL}/${id}` })).statusCode, 204);
    assert.equal(await who(), 'default-ada');
  });

  it('is taken back as a whole when that is asked for again, the sightings having been away', async (t) => {
    const { app, sightings, gallery } = await stand(t, { SIGHTINGS: true });
    assert.ok(sightings);
    await keepVisit(sightings, 'w.1', { votes: [vote('staff-ada')] }, WRONG);
    const { store } = sightings;
    const faceid = async () => (await store.ask('sighting', 1))?.faceid;
    const said = await app.inject({ method: 'POST', url: URL, payload: { sighting: 1 } });
    const { id } = said.json<Correction>();
    assert.equal(await faceid(), null);
    const takeBack = async () => (await app.inject({ method: 'DELETE', url: `${URL}/${id}` })).statusCode;
    const ask = store.ask.bind(store);
    const away = () => Promise.reject(new KaomonError('STORE_UNAVAILABLE', 'Redis is away.'));
    store.ask = ((name: string) => (name === 'uncorrectSightings' ? away() : ask('ping'))) as typeof ask;
    assert.equal(await takeBack(), 503);
    store.ask = ask;
    assert.equal(await takeBack(), 204);
    assert.equal(await faceid(), 'staff-ada');
    assert.deepEqual(gallery.corrections(), []);
    assert.equal(await takeBack(), 404);
  });

  it('needs a key that may enrol, and its groups', async (t) => {
    const { app, config, gallery, say } = await stand(t, { AUTH: 'key' });
    const keys = createKeys({ file: config.KEYS_FILE });
    const keyOf = async (role: 'recognise' | 'enrol', groups?: string[]) =>
      (await keys.add({ name: `${role} ${groups?.join() ?? ''}`, role, ...(groups && { groups }) })).key;
    const reader = { 'x-api-key': await keyOf('recognise') };
    assert.equal((await say('staff-ada', reader)).statusCode, 403);
    const tied = { 'x-api-key': await keyOf('enrol', ['default']) };
    assert.equal((await say('staff-ada', tied)).statusCode, 403);
    const { correction } = await gallery.correct('staff-ada', unitVector(WRONG));
    const removal = await app.inject({ method: 'DELETE', url: `${URL}/${correction.id}`, headers: tied });
    assert.equal(removal.statusCode, 403);
    const seen = await app.inject({ url: URL, headers: tied });
    assert.equal(seen.json<{ total: number }>().total, 0);
    const own = { 'x-api-key': await keyOf('enrol', ['staff']) };
    assert.equal((await app.inject({ url: URL, headers: own })).json<{ total: number }>().total, 1);
  });
});
