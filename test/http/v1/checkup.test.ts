import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../../src/access/keys.js';
import { createBare } from '../../../src/checkup/bare.js';
import { PACK, testApp, unitVector } from '../../support/app.js';
import { openTiny } from '../../support/galleries.js';
import { temporaryFolder } from '../../support/temporary.js';
import { until } from '../../support/until.js';

const GALLERY = '/api/v1/audit/gallery';
const THRESHOLD = '/api/v1/threshold';

interface List<T> {
  total: number;
  found: T[];
}
interface Person {
  faceid: string;
}
interface Findings {
  state: string;
  pictures: number;
  damaged: number | null;
  pairs: List<{ people: Person[]; pictures: { face: string }[] }>;
  disagreeing: List<{ person: Person; pictures: { picture: { face: string }; other: unknown }[] }>;
  weak: List<unknown>;
  withoutPictures: List<Person>;
}

/** Ada has a picture of somebody else; Bob and Eve are one; Kim has none. */
async function stand(t: TestContext, settings: Parameters<typeof testApp>[1] = {}) {
  const test = await testApp(t, settings);
  const { app, gallery } = test;
  await gallery.createGroup({ groupid: 'staff', groupname: '' });
  const enrol = async (groupid: string, userid: string, vector: Float32Array) =>
    (await gallery.enrol({ groupid, userid }, vector)).id;
  await enrol('default', 'ada', unitVector(0));
  await enrol('default', 'ada', unitVector(0.02));
  const bad = await enrol('default', 'ada', Float32Array.of(0, 0, 1, 0));
  await enrol('default', 'bob', unitVector(2));
  await enrol('staff', 'eve', unitVector(1.95));
  await gallery.createPerson({ groupid: 'default', userid: 'kim' });
  const read = async (headers: Record<string, string> = {}, query = '') =>
    (await app.inject({ url: `${GALLERY}${query}`, headers })).json<Findings>();
  const check = async (headers: Record<string, string> = {}) => {
    const begun = await app.inject({ method: 'POST', url: GALLERY, headers });
    assert.equal(begun.statusCode, 202, begun.body);
    await until(async () => (await read(headers)).state === 'done');
  };
  return { ...test, bad, read, check };
}

describe('the check-up of a gallery', () => {
  it('says so before there was one, then shows what it found, and no longer what was put right', async (t) => {
    const { app, bad, read, check } = await stand(t);
    const before = await read();
    assert.deepEqual([before.state, before.pairs.total, before.withoutPictures.total], ['none', 0, 1]);
    await check();
    const found = await read();
    assert.deepEqual([found.pictures, found.damaged], [5, 0]);
    assert.deepEqual(
      found.pairs.found.map(({ people }) => people.map(({ faceid }) => faceid)),
      [['default-bob', 'staff-eve']],
    );
    assert.equal(found.disagreeing.found[0].pictures[0].picture.face, bad);
    assert.equal(found.withoutPictures.found[0].faceid, 'default-kim');
    assert.equal((await read({}, '?offset=1')).pairs.found.length, 0);

    const merged = await app.inject({
      ...{ method: 'POST', url: '/api/v1/people/default-bob/merge', payload: { from: 'staff-eve' } },
    });
    assert.equal(merged.statusCode, 200);
    await app.inject({ method: 'DELETE', url: `/api/v1/people/default-ada/faces/${bad}` });
    const after = await read();
    assert.deepEqual([after.pairs.found, after.disagreeing.found], [[], []]);
  });

  it('gives a picture to somebody else, and back', async (t) => {
    const { app, gallery, bad } = await stand(t);
    const move = async (from: string, id: string, to: string) =>
      app.inject({ method: 'POST', url: `/api/v1/people/${from}/faces/${id}/move`, payload: { to } });
    const there = await move('default-ada', bad, 'staff-eve');
    assert.equal(there.statusCode, 200, there.body);
    const { face } = there.json<{ face: { id: string } }>();
    assert.equal((await gallery.person('default-ada'))?.faces.length, 2);
    assert.equal((await gallery.person('staff-eve'))?.faces.length, 2);
    const back = (await move('staff-eve', face.id, 'default-ada')).json<{ face: { id: string } }>();
    assert.equal(back.face.id, bad, 'as it was');
    assert.equal((await move('default-ada', bad, 'staff-nobody')).statusCode, 404);
    assert.equal((await move('default-ada', face.id, 'staff-eve')).statusCode, 404);
  });

  it('leaves two out who are said to be two', async (t) => {
    const { app, read, check } = await stand(t);
    await check();
    const [{ pictures }] = (await read()).pairs.found;
    for (const [faceid, { face }] of [
      ['staff-eve', pictures[0]],
      ['default-bob', pictures[1]],
    ] as const) {
      const said = await app.inject({
        method: 'POST',
        url: '/api/v1/corrections',
        payload: { faceid, face },
      });
      assert.equal(said.statusCode, 201, said.body);
    }
    assert.deepEqual((await read()).pairs.found, []);
    await check();
    assert.equal((await read()).pairs.total, 0);
  });

  it('forgets whoever is deleted, on the disk, too', async (t) => {
    const { config, gallery, check } = await stand(t);
    await check();
    const file = path.join(config.CACHE_DIR, 'check-up', `${PACK.id}.findings.json`);
    assert.match(await readFile(file, 'utf8'), /staff-eve/);
    await gallery.remove('staff', 'eve');
    await until(async () => !(await readFile(file, 'utf8')).includes('staff-eve'));
  });

  it('shows a key that is tied to groups its own people alone, and stops for whoever may begin it', async (t) => {
    const { app, config, read, check } = await stand(t, { AUTH: 'key' });
    const keys = createKeys({ file: config.KEYS_FILE });
    const keyOf = async (name: string, role: 'recognise' | 'enrol' | 'admin', groups?: string[]) => ({
      'x-api-key': (await keys.add({ name, role, ...(groups && { groups }) })).key,
    });
    const own = await keyOf('own', 'admin', ['staff']);
    const all = await keyOf('all', 'enrol');
    await check(all);
    const seen = await read(own);
    assert.deepEqual([seen.pairs.total, seen.disagreeing.total, seen.withoutPictures.total], [0, 0, 0]);
    assert.deepEqual([seen.damaged, seen.pictures], [null, 0]);
    assert.equal((await app.inject({ method: 'DELETE', url: GALLERY, headers: all })).statusCode, 204);
    const reader = await keyOf('reader', 'recognise');
    assert.equal((await app.inject({ url: GALLERY, headers: reader })).statusCode, 403);
    for (const [method, url] of [
      ['GET', '/api/v1/audit/threshold'],
      ['PUT', THRESHOLD],
      ['DELETE', THRESHOLD],
    ] as const) {
      const payload = method === 'PUT' ? { identical: 1 } : undefined;
      const refused = await app.inject({ method, url, headers: own, payload });
      assert.equal(refused.statusCode, 403, url);
    }
  });
});

describe('the people without a picture', () => {
  it('are looked for once while nobody changes, however often a page asks how far a check-up is', async (t) => {
    const gallery = await openTiny(await temporaryFolder(t));
    let scans = 0;
    const bareOf = createBare({
      ...gallery,
      people: (options) => {
        scans += 1;
        return gallery.people(options);
      },
    });
    const { signal } = new AbortController();
    const ask = async (groups?: string[], limit = 10) =>
      (await bareOf({ groups: groups && new Set(groups), limit, offset: 0, signal })).people.map(
        ({ userid }) => userid,
      );
    await gallery.createPerson({ groupid: 'default', userid: 'kim' });
    for (let i = 0; i < 5; i++) assert.deepEqual(await ask(), ['kim']);
    assert.equal(scans, 1);
    assert.deepEqual(await ask(['staff']), [], 'of others’ groups');
    await gallery.createPerson({ groupid: 'default', userid: 'lee' });
    assert.deepEqual(await ask(), ['kim', 'lee']);
    assert.deepEqual(await ask(undefined, 1), ['kim']);
    await gallery.remove('default', 'kim');
    assert.deepEqual(await ask(), ['lee']);
    // Whoever changes while they are looked for is not missed by the next.
    const looking = ask(['default']);
    await gallery.remove('default', 'lee');
    await looking;
    assert.deepEqual(await ask(['default']), []);
  });
});

describe('the threshold', () => {
  it('is told what it would do, chosen for this pack, and chosen no more', async (t) => {
    const { app, gallery, check } = await stand(t);
    interface Audit {
      thresholds: { identical: number; by: string };
      chosen: number | null;
      unchosen: number;
      at: { own: number; wrong: number; missed: number; named: number } | null;
    }
    const audit = async (query = '') => (await app.inject(`/api/v1/audit/threshold${query}`)).json<Audit>();
    assert.equal((await audit()).at, null);
    await check();
    const { at, thresholds, chosen, unchosen } = await audit();
    assert.deepEqual(at, { threshold: 0.5, own: 3, wrong: 0, missed: 1, strangers: 5, named: 2 });
    assert.deepEqual([thresholds.identical, thresholds.by, chosen, unchosen], [0.5, 'pack', null, 0.5]);
    assert.equal((await audit('?threshold=0.01')).at?.named, 2);
    const put = async (identical: number) =>
      app.inject({ method: 'PUT', url: THRESHOLD, payload: { identical } });
    assert.equal((await put(0)).statusCode, 400);
    assert.equal((await put(4.1)).statusCode, 400);
    const answer = (await put(0.01)).json<Audit & { before: number | null }>();
    assert.deepEqual([answer.before, answer.chosen, answer.thresholds.by], [null, 0.01, 'chosen']);
    const [match] = await gallery.nearest(unitVector(0.011), 1);
    assert.ok(match.distance < 0.01);
    const taken = await app.inject({ method: 'DELETE', url: THRESHOLD });
    const after = taken.json<Audit & { before: number | null }>();
    assert.deepEqual([after.before, after.chosen, after.thresholds.identical], [0.01, null, 0.5]);
  });
});
