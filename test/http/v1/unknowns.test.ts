import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../../src/access/keys.js';
import type { Config } from '../../../src/settings/config.js';
import { KaomonError } from '../../../src/platform/errors.js';
import { testApp, unitVector } from '../../support/app.js';
import { readAudit } from '../../support/audit-lines.js';
import { bestFace, keepVisit, NOON, STRANGER } from '../../support/sightings.js';
import { temporaryFolder } from '../../support/temporary.js';

interface Unknown {
  id: string;
  visits: number;
  pictures: string[];
  ignored: boolean;
  like: string | null;
  deviceids: string[];
  first: string;
  last: string;
}

/** A server that keeps who came by. */
async function kept(
  t: TestContext,
  settings: Partial<Config> = {},
  deps: Parameters<typeof testApp>[2] = {},
) {
  const test = await testApp(t, { SIGHTINGS: true, KEEP_SIGHTINGS: true, ...settings }, deps);
  const { app, gallery, sightings } = test;
  assert.ok(sightings);
  await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
  let visits = 0;
  /** A stranger comes by. @param far squared L2 from the first vector of all */
  const come = async (far: number, more: object = {}) => {
    const at = { first: NOON + visits * 60_000, last: NOON + visits * 60_000 + 4000 };
    await keepVisit(sightings, `w.${++visits}`, { ...STRANGER, ...at, ...more }, far);
  };
  const call = async (
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    payload?: object,
    key = '',
  ) => {
    const headers = key ? { 'x-api-key': key } : {};
    const answer = await app.inject({ method, url: `/api/v1/${path}`, headers, ...(payload && { payload }) });
    const body = answer.json<Record<string, unknown> & { undo: string; code?: string }>();
    return { status: answer.statusCode, body };
  };
  const list = async (query = '') =>
    (await call('GET', `unknowns${query}`)).body as unknown as { unknowns: Unknown[]; next: string | null };
  const names = async () => {
    const { body } = await call('GET', 'sightings');
    const all = body.sightings as { person: { username: string } | null; unknown: string | null }[];
    return all.map(({ person, unknown }) => person?.username ?? unknown);
  };
  return { ...test, sightings, come, call, list, names };
}

describe('/api/v1/unknowns', () => {
  it('lists strangers with all their visits, page by page', async (t) => {
    const { come, list, call } = await kept(t);
    await come(0);
    await come(2, { deviceid: 'hall' });
    await come(0.05, { deviceid: 'gate' });
    const { unknowns, next } = await list();
    assert.equal(next, null);
    assert.deepEqual(unknowns[0], {
      ...{ id: 'u-1', visits: 2, deviceids: ['door', 'gate'], ignored: false, like: null },
      ...{ first: '2026-11-27T12:00:00.000Z', last: '2026-11-27T12:02:04.000Z' },
      pictures: ['/api/v1/sightings/1/picture', '/api/v1/sightings/3/picture'],
    });
    const first = await list('?limit=1');
    const second = await list(`?limit=1&after=${first.next}`);
    assert.deepEqual(
      [...first.unknowns, ...second.unknowns].map(({ id }) => id),
      ['u-1', 'u-2'],
    );
    const visits = (await call('GET', 'sightings?unknown=u-1')).body.sightings as { id: number }[];
    assert.deepEqual(
      visits.map(({ id }) => id),
      [3, 1],
    );
    assert.equal((await call('GET', 'unknowns/u-2')).body.visits, 1);
    assert.equal((await call('GET', 'unknowns/u-9')).body.code, 'UNKNOWN_GONE');
    for (const wrong of ['unknowns/7', 'unknowns/u-0', 'unknowns?after=x', 'unknowns?limit=0'])
      assert.equal((await call('GET', wrong)).status, 400, wrong);
  });

  it('makes a person of a stranger, whose past visits and next faces carry the name; undone, nobody is left', async (t) => {
    const { come, call, list, names, gallery } = await kept(t);
    for (const far of [0, 0.1, 2, 0.01]) await come(far);
    const person = { groupid: 'staff', userid: 'hana', username: '山田 花子' };
    const named = await call('POST', 'unknowns/u-1/name', person);
    assert.equal(named.status, 201, JSON.stringify(named.body));
    assert.equal(named.body.sightings, 3);
    assert.deepEqual(await names(), ['山田 花子', 'u-2', '山田 花子', '山田 花子']);
    const enrolled = await gallery.person('staff-hana');
    assert.deepEqual(enrolled?.faces.map(({ id }) => id).sort(), [...(named.body.faces as string[])].sort());
    assert.equal(enrolled.faces.length, 3);
    const [match] = await gallery.nearest(unitVector(0.02), 1);
    assert.equal(match.person.faceid, 'staff-hana');
    assert.equal(
      (await call('POST', 'unknowns/u-1/name', { ...person, userid: 'x' })).body.code,
      'UNKNOWN_GONE',
    );
    assert.equal(await gallery.person('staff-x'), undefined);
    assert.deepEqual(
      (await list()).unknowns.map(({ id }) => id),
      ['u-2'],
    );

    const undone = await call('POST', 'unknowns/undo', { token: named.body.undo });
    assert.deepEqual([undone.status, undone.body], [200, { unknown: 'u-1', sightings: 3 }]);
    assert.deepEqual(await names(), ['u-1', 'u-2', 'u-1', 'u-1']);
    assert.equal(await gallery.person('staff-hana'), undefined);
    assert.equal((await call('POST', 'unknowns/undo', { token: named.body.undo })).body.code, 'UNDO_GONE');
    await come(0);
    assert.deepEqual((await names())[0], 'u-1');
  });

  it('keeps a person who has got other faces since, when the name is taken back', async (t) => {
    const { come, call, gallery } = await kept(t);
    await come(0);
    const { body } = await call('POST', 'unknowns/u-1/name', { groupid: 'staff', userid: 'hana' });
    await gallery.enrol({ groupid: 'staff', userid: 'hana' }, unitVector(0.2));
    await call('POST', 'unknowns/undo', { token: body.undo });
    assert.equal((await gallery.person('staff-hana'))?.faces.length, 1);
  });

  it('deletes the faces of a name that is taken back after the person was moved', async (t) => {
    const { come, call, names, gallery } = await kept(t);
    await gallery.createGroup({ groupid: 'guests', groupname: 'Guests' });
    for (const far of [0, 0.1]) await come(far);
    const { body } = await call('POST', 'unknowns/u-1/name', { groupid: 'staff', userid: 'hana' });
    const moved = await call('PATCH', 'people/staff-hana', { groupid: 'guests' });
    assert.equal(moved.body.faceid, 'guests-hana');
    const undone = await call('POST', 'unknowns/undo', { token: body.undo });
    assert.deepEqual([undone.status, undone.body], [200, { unknown: 'u-1', sightings: 2 }]);
    assert.deepEqual(await names(), ['u-1', 'u-1']);
    assert.deepEqual(await gallery.nearest(unitVector(0.02), 1), []);
    assert.equal(await gallery.person('guests-hana'), undefined);
  });

  it('deletes them and nobody else’s after the person was merged with another, whose face has such an ID', async (t) => {
    const { come, call, names, gallery, sightings } = await kept(t);
    await come(0);
    const { body } = await call('POST', 'unknowns/u-1/name', { groupid: 'staff', userid: 'hana' });
    const [face] = body.faces as string[];
    const taken = face.replace('staff-hana', 'staff-ken');
    const other = unitVector(1.5);
    const own = { groupid: 'staff', userid: 'ken' };
    assert.equal((await gallery.enrol({ ...own, id: taken }, other)).id, taken);
    await gallery.mergePerson('staff-hana', 'staff-ken');
    await sightings.catchUp();
    assert.equal((await gallery.person('staff-ken'))?.faces.length, 2);
    const undone = await call('POST', 'unknowns/undo', { token: body.undo });
    assert.deepEqual([undone.status, undone.body], [200, { unknown: 'u-1', sightings: 1 }]);
    assert.deepEqual(await names(), ['u-1']);
    const left = await gallery.vectors('staff-ken');
    assert.deepEqual(
      left.map((one) => [one.face.id, one.vector]),
      [[taken, other]],
    );
  });

  it('says that a stranger is somebody who is enrolled, unless the face is another’s', async (t) => {
    const { come, call, names, gallery } = await kept(t);
    await gallery.enrol({ groupid: 'staff', userid: 'ken', username: '健' }, unitVector(0.3));
    await gallery.enrol({ groupid: 'staff', userid: 'eve' }, unitVector(2));
    await come(0);
    const other = await call('POST', 'unknowns/u-1/same-as', { faceid: 'staff-eve' });
    assert.deepEqual([other.status, other.body.code], [409, 'OTHER_PERSON']);
    assert.deepEqual(await names(), ['u-1']);
    const same = await call('POST', 'unknowns/u-1/same-as', { faceid: 'staff-ken' });
    assert.deepEqual([same.status, same.body.sightings], [200, 1]);
    assert.deepEqual(await names(), ['健']);
    assert.equal((await gallery.person('staff-ken'))?.faces.length, 2);
    await call('POST', 'unknowns/undo', { token: same.body.undo });
    assert.deepEqual(await names(), ['u-1']);
    // Somebody who was there before stays, with the face that was.
    assert.equal((await gallery.person('staff-ken'))?.faces.length, 1);
    for (const [faceid, code] of [
      ['staff-nobody', 'PERSON_UNKNOWN'],
      ['nonsense', 'PERSON_UNKNOWN'],
    ])
      assert.equal((await call('POST', 'unknowns/u-1/same-as', { faceid })).body.code, code);
    for (const wrong of [{}, { faceid: 'staff-ken', unknown: 'u-1' }])
      assert.equal((await call('POST', 'unknowns/u-1/same-as', wrong)).body.code, 'FIELD_INVALID');
  });

  it('refuses a name that somebody has, and a group that nobody made; then nobody is enrolled', async (t) => {
    const { come, call, names, gallery } = await kept(t);
    await gallery.createPerson({ groupid: 'staff', userid: 'ken' });
    await come(0);
    const asked = async (body: object) => (await call('POST', 'unknowns/u-1/name', body)).body.code;
    assert.equal(await asked({ groupid: 'staff', userid: 'ken' }), 'PERSON_EXISTS');
    assert.equal(await asked({ groupid: 'none', userid: 'hana' }), 'GROUP_UNKNOWN');
    assert.equal(await asked({ groupid: 'staff', userid: 'a-b' }), 'USERID_INVALID');
    assert.deepEqual(await names(), ['u-1']);
    assert.equal(gallery.info().faces, 0);
  });

  it('is named once when two name one at the same time', async (t) => {
    const { come, call, gallery } = await kept(t);
    await come(0);
    const answers = await Promise.all(
      ['ann', 'bob'].map((userid) =>
        call('POST', 'unknowns/u-1/name', { groupid: 'staff', userid, force: true }),
      ),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 404]);
    assert.equal(gallery.info().people, 1);
    assert.equal(gallery.info().faces, 1);
  });

  it('keeps a face quiet, and no longer', async (t) => {
    const { come, call, list, sightings } = await kept(t);
    const told = async () => (await sightings.store.ask('happenings', 0, 100)).length;
    await come(0);
    assert.equal(await told(), 1);
    const ignored = await call('PUT', 'unknowns/u-1/ignored');
    assert.equal(ignored.body.ignored, true);
    await come(0);
    assert.equal(await told(), 1);
    assert.equal((await list('?ignored=false')).unknowns.length, 0);
    assert.equal((await list('?ignored=true')).unknowns[0].visits, 2);
    const undone = await call('POST', 'unknowns/undo', { token: ignored.body.undo });
    assert.equal(undone.status, 200);
    await come(0);
    assert.equal(await told(), 2);
    await call('PUT', 'unknowns/u-1/ignored');
    const heard = await call('DELETE', 'unknowns/u-1/ignored');
    assert.equal(heard.body.ignored, false);
  });

  it('makes two strangers one when somebody says so', async (t) => {
    const { come, call, names } = await kept(t);
    await come(0);
    await come(2);
    const joined = await call('POST', 'unknowns/u-1/same-as', { unknown: 'u-2' });
    assert.deepEqual([joined.status, joined.body.id, joined.body.visits], [200, 'u-2', 2]);
    await call('POST', 'unknowns/undo', { token: joined.body.undo });
    assert.deepEqual(await names(), ['u-2', 'u-1']);
  });

  it('is for administrators of all groups', async (t) => {
    const keys = createKeys({ file: `${await temporaryFolder(t)}/keys.json` });
    const { come, call } = await kept(t, { AUTH: 'key' }, { keys });
    await come(0);
    const [tied, enrol, admin] = await Promise.all([
      keys.add({ name: 'tied', role: 'admin', groups: ['staff'] }),
      keys.add({ name: 'desk', role: 'enrol' }),
      keys.add({ name: 'office', role: 'admin' }),
    ]);
    const all = [
      ['GET', 'unknowns'],
      ['GET', 'unknowns/u-1'],
      ['POST', 'unknowns/u-1/name', { groupid: 'staff', userid: 'hana' }],
      ['POST', 'unknowns/u-1/same-as', { faceid: 'staff-hana' }],
      ['PUT', 'unknowns/u-1/ignored'],
      ['DELETE', 'unknowns/u-1/ignored'],
      ['POST', 'unknowns/undo', { token: 'x' }],
    ] as const;
    for (const [method, path, body] of all) {
      for (const { key } of [tied, enrol])
        assert.equal((await call(method, path, body, key)).status, 403, `${method} ${path}`);
      assert.equal((await call(method, path, body)).status, 401);
    }
    assert.equal((await call('GET', 'unknowns', undefined, admin.key)).status, 200);
  });

  it('is not there while nobody who came by is kept', async (t) => {
    const { app } = await testApp(t);
    for (const url of ['/api/v1/unknowns', '/api/v1/unknowns/u-1']) {
      const answer = await app.inject(url);
      assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [404, 'SIGHTINGS_OFF']);
    }
  });

  it('can be taken back with the same token where that failed in the middle', async (t) => {
    const { come, call, names, gallery } = await kept(t);
    await come(0);
    const named = await call('POST', 'unknowns/u-1/name', { groupid: 'staff', userid: 'hana' });
    assert.equal(named.status, 201);
    const removeFace = gallery.removeFace.bind(gallery);
    gallery.removeFace = () => Promise.reject(new KaomonError('STORE_UNAVAILABLE', 'The disk is away.'));
    assert.equal((await call('POST', 'unknowns/undo', { token: named.body.undo })).status, 503);
    gallery.removeFace = removeFace;
    assert.equal((await call('POST', 'unknowns/undo', { token: named.body.undo })).status, 200);
    assert.equal(await gallery.person('staff-hana'), undefined);
    assert.deepEqual(await names(), ['u-1']);
    assert.equal((await call('POST', 'unknowns/undo', { token: named.body.undo })).body.code, 'UNDO_GONE');
  });

  describe('when naming a stranger gets no answer', () => {
    /** @param answers what becomes of an operation, given what does it */
    async function unanswered(
      t: TestContext,
      answers: Partial<Record<string, (act: () => Promise<unknown>) => Promise<unknown>>>,
    ) {
      const test = await kept(t);
      await test.come(0);
      const { store } = test.sightings;
      const ask = store.ask.bind(store) as (name: string, ...args: unknown[]) => Promise<unknown>;
      store.ask = ((name: string, ...args: unknown[]) =>
        (answers[name] ?? ((act) => act()))(() => ask(name, ...args))) as typeof store.ask;
      const person = { groupid: 'staff', userid: 'hana' };
      return { ...test, answer: await test.call('POST', 'unknowns/u-1/name', person) };
    }
    const fail = () => Promise.reject(new KaomonError('STORE_UNAVAILABLE', 'Redis is away.'));

    it('keeps the visits and the name where it was done all the same', async (t) => {
      const test = await unanswered(t, { nameUnknown: (act) => act().then(fail) });
      assert.deepEqual(await test.names(), ['hana']);
      assert.deepEqual([test.answer.status, test.answer.body.sightings], [201, 1]);
      await test.call('POST', 'unknowns/undo', { token: test.answer.body.undo });
      assert.deepEqual(await test.names(), ['u-1']);
    });

    it('leaves the faces where nobody can say, as the visits may get the name yet', async (t) => {
      let later = () => Promise.resolve<unknown>(undefined);
      const nameUnknown = (act: () => Promise<unknown>) => {
        later = act;
        return fail();
      };
      const test = await unanswered(t, { nameUnknown, settleNaming: fail });
      assert.equal(test.answer.status, 503);
      await later();
      await test.sightings.catchUp();
      assert.deepEqual(await test.names(), ['hana']);
      assert.equal((await test.gallery.person('staff-hana'))?.faces.length, 1);
    });

    it('takes the faces back where it was not done', async (t) => {
      const test = await unanswered(t, { nameUnknown: fail });
      assert.equal(test.answer.status, 503);
      assert.equal(await test.gallery.person('staff-hana'), undefined);
      assert.deepEqual(await test.names(), ['u-1']);
    });
  });

  it('writes into the audit who was named, by IDs, and who it was undone for', async (t) => {
    const test = await kept(t);
    await test.come(0, { best: { ...bestFace(0) } });
    const { body } = await test.call('POST', 'unknowns/u-1/name', {
      ...{ groupid: 'staff', userid: 'hana', username: '花子' },
    });
    await test.call('POST', 'unknowns/undo', { token: body.undo });
    const lines = (await readAudit(test)).map(({ action, whom }) => ({ action, whom }));
    assert.deepEqual(lines, [
      { action: 'enrol', whom: { id: 'u-1', groupid: 'staff', userid: 'hana', faces: body.faces } },
      { action: 'change', whom: { id: 'u-1', faceid: 'staff-hana' } },
    ]);
  });
});
