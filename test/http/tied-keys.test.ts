import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../src/access/keys.js';
import type { Config } from '../../src/settings/config.js';
import { TINY_PICTURE } from '../../src/http/intake/pictures.js';
import { imageIdOf } from '../../src/http/compreface/image-ids.js';
import { face, testApp, unitVector } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';

/** The app with Ken in the group `default`, and keys, one tied to the group `other`. */
async function tied(t: TestContext, settings: Partial<Config> = {}) {
  const test = await testApp(t, { AUTH: 'key', DOUBLE_REGISTRATION_SECONDS: 0, ...settings });
  const { app, gallery, vision, config } = test;
  await gallery.createGroup({ groupid: 'other', groupname: 'Other' });
  await gallery.enrol({ groupid: 'default', userid: 'ken', username: 'Ken' }, unitVector(0));
  vision.faces = [face()];
  const keys = createKeys({ file: config.KEYS_FILE });
  const other = (await keys.add({ name: 'other', role: 'admin', groups: ['other'] })).key;
  const all = (await keys.add({ name: 'all', role: 'admin' })).key;
  const picture = await greyJpeg();
  const post = async (key: string, url: string, ...parts: [string, string | Uint8Array][]) => {
    const { headers, payload } = await form(...parts);
    const answer = await app.inject({
      ...{ method: 'POST', url, headers: { ...headers, 'x-api-key': key }, payload },
    });
    return { status: answer.statusCode, text: answer.body, body: answer.json<Record<string, unknown>>() };
  };
  const get = async (key: string, url: string) =>
    (await app.inject({ url, headers: { 'x-api-key': key } })).json<Record<string, unknown>>();
  return {
    ...{ ...test, all, other, get },
    /** The ways in that a face has, by name. */
    ways: {
      v1: (key: string, userid: string) =>
        post(key, `/api/v1/people/other-${userid}/faces?create=true`, ['image', picture]),
      maiface: (key: string, userid: string) =>
        post(key, '/api/face_register', ['userid', userid], ['groupid', 'other'], ['image', picture]),
    },
  };
}

describe('a face that is enrolled in a group which a key may not see', () => {
  it('is enrolled by that key as if it were nowhere, and no answer tells of it', async (t) => {
    const { ways, other, gallery } = await tied(t);
    for (const [name, enrol] of Object.entries(ways)) {
      const answer = await enrol(other, `ken_${name}`);
      assert.ok([200, 201].includes(answer.status), `${name}: ${answer.status} ${answer.text}`);
      assert.doesNotMatch(answer.text, /default|E1003|OTHER_PERSON/, name);
      await gallery.remove('other', `ken_${name}`);
    }
  });

  it('stands in the way of keys that see it, which are told whose it is', async (t) => {
    const { ways, all } = await tied(t);
    const v1 = await ways.v1(all, 'stranger');
    assert.deepEqual([v1.status, v1.body.code], [409, 'OTHER_PERSON']);
    assert.equal((v1.body.details as { faceid: string }).faceid, 'default-ken');
    const maiface = await ways.maiface(all, 'stranger');
    assert.deepEqual([maiface.status, maiface.body.mid], [409, 'E1003']);
  });

  it('is refused to that key only where its own groups have it, too', async (t) => {
    const { ways, other, gallery } = await tied(t);
    // Farther away than Ken: whoever searched everybody would find him first.
    await gallery.enrol({ groupid: 'other', userid: 'ada', username: 'Ada' }, unitVector(0.1));
    for (const enrol of Object.values(ways)) {
      const answer = await enrol(other, 'stranger');
      assert.equal(answer.status, 409, answer.text);
      assert.match(answer.text, /other-ada/);
      assert.doesNotMatch(answer.text, /ken/i);
    }
  });

  it('is not counted in what the key reads of the server', async (t) => {
    const { get, all, other, app } = await tied(t);
    for (const url of ['/api/v1/health', '/api/v1/status']) {
      const figures = async (key: string) => {
        const { gallery } = (await get(key, url)) as { gallery: Record<string, number> };
        return [gallery.people, gallery.faces, gallery.groups];
      };
      assert.deepEqual(await figures(all), [1, 1, 2], url);
      assert.deepEqual(await figures(other), [0, 0, 1], url);
    }
    const metrics = (key: string) => app.inject({ url: '/metrics', headers: { 'x-api-key': key } });
    assert.equal((await metrics(all)).statusCode, 200);
    assert.equal((await metrics(other)).statusCode, 403);
  });
});

describe('a list without anything in it', () => {
  it('is refused wherever it could be taken for all', async (t) => {
    const { app, all, gallery } = await tied(t);
    const headers = { 'x-api-key': all };
    const calls = [
      ['POST', '/api/v1/keys', { name: 'door', role: 'recognise', groups: [] }],
      ['POST', '/api/v1/recognise?groups=', { image: TINY_PICTURE }],
      ['POST', '/api/v1/recognise?groups=,', { image: TINY_PICTURE }],
      ['GET', '/api/v1/export?groups=', undefined],
      ['GET', '/api/v1/people?group=', undefined],
      ['DELETE', '/api/v1/faces/automatic?groupid=', undefined],
      ['DELETE', '/api/v1/recognition/faces?subject=', undefined],
      ['DELETE', '/api/v1/recognition/faces?subject=&subject=Ken', undefined],
      ['DELETE', '/api/v1/recognition/subjects/', undefined],
    ] as const;
    for (const [method, url, payload] of calls) {
      const answer = await app.inject({ method, url, headers, ...(payload && { payload }) });
      assert.ok([400, 404].includes(answer.statusCode), `${method} ${url}: ${answer.statusCode}`);
    }
    assert.equal((await gallery.person('default-ken'))?.faces.length, 1);
    const made = (await app.inject({ url: '/api/v1/keys', headers })).json<{ name: string }[]>();
    assert.deepEqual(made.map(({ name }) => name).sort(), ['all', 'other']);
  });
});

describe('a role', () => {
  it('may see a kept face by every surface or by none', async (t) => {
    const { app, gallery, config } = await tied(t);
    const crop = Buffer.from('a PNG');
    const { id } = await gallery.enrol({ groupid: 'default', userid: 'mia', crop }, unitVector(0.2));
    const keys = createKeys({ file: config.KEYS_FILE });
    const image = imageIdOf((await gallery.person('default-mia'))?.faces[0] ?? assert.fail());
    const addresses = [
      `/api/v1/people/default-mia/faces/${id}/picture`,
      `/api/v1/recognition/faces/${image}/img`,
    ];
    for (const [role, status] of [
      ['recognise', 403],
      ['enrol', 200],
    ] as const) {
      const { key } = await keys.add({ name: role, role });
      for (const url of addresses) {
        const answer = await app.inject({ url, headers: { 'x-api-key': key } });
        assert.equal(answer.statusCode, status, `${role} ${url}: ${answer.body}`);
      }
    }
  });

  it('makes groups by every surface or by none', async (t) => {
    const { app, gallery, config } = await tied(t, { COMPREFACE_GROUP: 'new' });
    const keys = createKeys({ file: config.KEYS_FILE });
    const groups = [undefined, ['another']];
    for (const [i, tiedTo] of groups.entries()) {
      const added = { name: `enrol ${i}`, role: 'enrol', ...(tiedTo && { groups: tiedTo }) } as const;
      const headers = { 'x-api-key': (await keys.add(added)).key };
      const name = tiedTo?.[0] ?? 'new';
      const picture = await greyJpeg();
      const register = await form(['userid', 'x'], ['groupid', name], ['image', picture]);
      const example = await form(['file', picture]);
      const calls = [
        { url: '/api/v1/groups', payload: { groupid: name } },
        { url: '/api/v1/people', payload: { groupid: name, userid: 'x' } },
        { url: `/api/v1/people/${name}-x/faces?create=true`, payload: { image: TINY_PICTURE } },
        { url: '/api/face_register', ...register },
        { url: '/api/v1/recognition/subjects', payload: { subject: 'x' } },
        { url: '/api/v1/recognition/faces?subject=x', ...example },
      ];
      for (const call of calls) {
        const own = 'headers' in call ? call.headers : {};
        const answer = await app.inject({ method: 'POST', ...call, headers: { ...own, ...headers } });
        assert.ok([403, 404].includes(answer.statusCode), `${call.url}: ${answer.statusCode} ${answer.body}`);
      }
      assert.ok(!gallery.groups().some(({ groupid }) => groupid === name));
    }
    const { key } = await keys.add({ name: 'admin', role: 'admin' });
    const made = await app.inject({
      ...{ method: 'POST', url: '/api/v1/recognition/subjects', payload: { subject: 'x' } },
      headers: { 'x-api-key': key },
    });
    assert.equal(made.statusCode, 201);
  });
});
