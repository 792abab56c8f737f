import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createKeys, type NewKey } from '../../src/access/keys.js';
import { testApp, unitVector } from '../support/app.js';
import { written } from '../support/audit-lines.js';

interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Record<string, unknown>;
}

/** The app with somebody in each of two groups, and a function that calls it with a key. */
async function withKeys(t: TestContext) {
  const test = await testApp(t, { AUTH: 'key' });
  const { app, gallery, config } = test;
  await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
  await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0));
  await gallery.enrol({ groupid: 'staff', userid: 'mari' }, unitVector(2));
  const keys = createKeys({ file: config.KEYS_FILE });
  const make = async (wanted: NewKey) => {
    const { key, info } = await keys.add(wanted);
    return { key, id: info.id, name: info.name };
  };
  const call = async (
    key: string,
    method: 'GET' | 'POST' | 'PATCH',
    url: string,
    payload?: object,
  ): Promise<Answer> => {
    const answer = await app.inject({
      method,
      url,
      headers: { 'x-api-key': key },
      ...(payload && { payload }),
    });
    return { status: answer.statusCode, body: answer.json(), headers: answer.headers };
  };
  const chief = await make({ name: 'chief', role: 'admin' });
  const desk = await make({ name: 'desk', role: 'enrol' });
  const people = async (key: string) => {
    const { body } = await call(key, 'GET', '/api/v1/people');
    return (body.people as { faceid: string }[]).map(({ faceid }) => faceid).sort();
  };
  return { ...test, make, call, people, chief, desk };
}

describe('PATCH /api/v1/keys/:id', () => {
  it('ties a key to groups from the next request on, and frees it again', async (t) => {
    const test = await withKeys(t);
    const { call, people, chief, desk } = test;
    assert.deepEqual(await people(desk.key), ['default-ken', 'staff-mari']);
    const url = `/api/v1/keys/${desk.id}`;
    const tied = await call(chief.key, 'PATCH', url, { groups: ['staff'] });
    assert.deepEqual([tied.status, tied.body.name, tied.body.groups], [200, 'desk', ['staff']]);
    assert.deepEqual(await people(desk.key), ['staff-mari']);
    const freed = await call(chief.key, 'PATCH', url, { groups: null });
    assert.deepEqual([freed.status, freed.body.groups], [200, null]);
    assert.deepEqual(await people(desk.key), ['default-ken', 'staff-mari']);
    const changed = ({ action }: { action: string }) => action === 'key changed';
    const lines = await written(test, (all) => all.filter(changed).length === 2);
    assert.deepEqual(
      lines.filter(changed).map(({ who, whom: { name, groups } }) => [who, name, groups]),
      [
        ['chief', 'desk', ['staff']],
        ['chief', 'desk', 'all'],
      ],
    );
  });

  it('refuses a key that ties itself, one that is tied, one that is no administrator, and a key that is not there', async (t) => {
    const { call, make, chief, desk } = await withKeys(t);
    const tiedAdmin = await make({ name: 'floor', role: 'admin', groups: ['staff'] });
    const url = `/api/v1/keys/${desk.id}`;
    const body = { groups: ['staff'] };
    const asked: [Answer, number, string][] = [
      [await call(chief.key, 'PATCH', `/api/v1/keys/${chief.id}`, body), 403, 'FORBIDDEN'],
      [await call(tiedAdmin.key, 'PATCH', url, { groups: null }), 403, 'FORBIDDEN'],
      [await call(desk.key, 'PATCH', url, { groups: null }), 403, 'FORBIDDEN'],
      [await call(chief.key, 'PATCH', '/api/v1/keys/0123456789', body), 404, 'KEY_UNKNOWN'],
      // Tied to nothing is not what anybody means.
      [await call(chief.key, 'PATCH', url, { groups: [] }), 400, 'FIELD_INVALID'],
      [await call(chief.key, 'PATCH', url, {}), 400, 'FIELD_MISSING'],
    ];
    for (const [i, [answer, status, code]] of asked.entries()) {
      assert.deepEqual([answer.status, answer.body.code], [status, code], String(i));
    }
  });
});

describe('POST /api/v1/keys/:id/link', () => {
  it('makes a link that signs in as that key, once', async (t) => {
    const test = await withKeys(t);
    const { app, call, chief, desk } = test;
    const made = await call(chief.key, 'POST', `/api/v1/keys/${desk.id}/link`);
    assert.deepEqual([made.status, made.body.minutes, made.headers['cache-control']], [201, 15, 'no-store']);
    const payload = { token: made.body.token };
    const signIn = () => app.inject({ method: 'POST', url: '/api/v1/session', payload });
    const first = await signIn();
    assert.deepEqual([first.statusCode, first.json<{ name: string }>().name], [200, 'desk']);
    assert.equal((await signIn()).statusCode, 401);
    const lines = await written(test, (all) => all.some(({ action }) => action === 'sign-in link'));
    const line = lines.find(({ action }) => action === 'sign-in link');
    assert.deepEqual([line?.who, line?.whom.name], ['chief', 'desk']);
    assert.equal(
      JSON.stringify(lines).includes(String(made.body.token)),
      false,
      'the link itself is a secret',
    );
  });

  it('is for administrators of all groups, and for keys that are there', async (t) => {
    const { call, make, chief, desk } = await withKeys(t);
    const tiedAdmin = await make({ name: 'floor', role: 'admin', groups: ['staff'] });
    for (const key of [tiedAdmin.key, desk.key]) {
      assert.equal((await call(key, 'POST', `/api/v1/keys/${chief.id}/link`)).status, 403);
    }
    const gone = await call(chief.key, 'POST', '/api/v1/keys/0123456789/link');
    assert.deepEqual([gone.status, gone.body.code], [404, 'KEY_UNKNOWN']);
  });
});

describe('GET /api/v1/keys', () => {
  it('says when each key was used last, by a request or by a page that it has signed in', async (t) => {
    const { app, call, make, chief, desk } = await withKeys(t);
    const silent = await make({ name: 'silent', role: 'recognise' });
    await call(desk.key, 'GET', '/api/v1/groups');
    const { body } = await call(chief.key, 'POST', `/api/v1/keys/${silent.id}/link`);
    const usesOf = async () => {
      const list = (await call(chief.key, 'GET', '/api/v1/keys')).body as unknown as {
        name: string;
        lastUsedAt?: string;
      }[];
      return Object.fromEntries(list.map(({ name, lastUsedAt }) => [name, lastUsedAt !== undefined]));
    };
    assert.deepEqual(await usesOf(), { chief: true, desk: true, silent: false });
    const payload = { token: body.token };
    const { cookies } = await app.inject({ method: 'POST', url: '/api/v1/session', payload });
    const jar = Object.fromEntries(cookies.map(({ name, value }) => [name, value]));
    await app.inject({ url: '/api/v1/groups', cookies: jar });
    assert.deepEqual(await usesOf(), { chief: true, desk: true, silent: true });
  });
});
