import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RouteOptions } from 'fastify';
import { createKeys } from '../../../src/access/keys.js';
import { createSessions } from '../../../src/access/sessions.js';
import { loadConfig } from '../../../src/settings/config.js';
import type { Gallery } from '../../../src/gallery/types.js';
import { TINY_PICTURE } from '../../../src/http/intake/pictures.js';
import { loadCredentials } from '../../../src/platform/tls.js';
import { face, testApp, unitVector } from '../../support/app.js';
import { readAudit, told, written } from '../../support/audit-lines.js';
import { door } from '../../support/door.js';
import { hangUp } from '../../support/hang-up.js';
import { greyJpeg } from '../../support/pictures.js';
import { temporaryFolder } from '../../support/temporary.js';
import { until } from '../../support/until.js';

const timeout = 60_000;

describe('the audit', () => {
  it('has an export before anything leaves, of which groups, and that it was cut', { timeout }, async (t) => {
    const test = await door(t);
    const { gallery, key, begin } = test;
    const admin = await key('admin');
    await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
    const crop = new Uint8Array(2_000_000);
    for (let n = 0; n < 10; n += 1) {
      await gallery.enrol({ groupid: 'staff', userid: `u${n}`, crop }, unitVector(0));
    }
    const reader = await begin(['GET /api/v1/export?groups=staff HTTP/1.1', `x-api-key: ${admin}`]);
    assert.equal((await reader.answer()).status, 200);
    const line = { who: 'key 1', action: 'export', whom: { groups: ['staff'] } };
    assert.deepEqual((await readAudit(test)).map(told), [{ ...line, outcome: 'begun' }]);
    reader.socket.resetAndDestroy();
    const lines = await written(test, ({ length }) => length > 1);
    assert.deepEqual(lines.map(told).at(-1), { ...line, outcome: 'aborted' });
    assert.equal(lines[0].requestId, lines[1].requestId);
    const headers = { 'x-api-key': admin };
    assert.equal((await test.app.inject({ url: '/api/v1/export', headers })).statusCode, 200);
    const all = (await written(test, ({ length }) => length > 3)).slice(2);
    assert.deepEqual(
      all.map(({ outcome, whom }) => [outcome, whom.groups]),
      [
        ['begun', 'all'],
        ['done', 'all'],
      ],
    );
    await test.app.close();
    assert.equal((await readAudit(test)).length, 4);
  });

  for (const url of ['/api/v1/export', '/api/v1/people/default-ken/export', '/api/v1/sightings?format=csv'])
    it(
      `has that ${url} was wanted, and how it ended, whose client went before it began`,
      { timeout },
      async (t) => {
        let here = (): Promise<void> => Promise.resolve();
        const onRoute = (route: RouteOptions) => {
          route.preHandler = [...[route.preHandler ?? []].flat(), () => here()];
        };
        const test = await door(t, { SIGHTINGS: true }, { onRoute });
        await test.gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0));
        const admin = await test.key('admin');
        const client = hangUp(test.app);
        ({ here } = client);
        await client.send([`GET ${url} HTTP/1.1`, `x-api-key: ${admin}`]);
        await written(test, (lines) => lines.at(-1)?.outcome === 'aborted');
        const [{ action }] = await readAudit(test);
        assert.equal(action, 'export');
      },
    );

  it('has what had been enrolled of several pictures when the client went', { timeout }, async (t) => {
    const test = await door(t);
    const { app, gallery, vision, key } = test;
    const admin = await key('admin');
    vision.faces = [face()];
    const client = hangUp(app);
    const enrol = gallery.enrolOnce.bind(gallery);
    let id = '';
    t.mock.method(gallery, 'enrolOnce', async (...words: Parameters<Gallery['enrolOnce']>) => {
      const enrolled = await enrol(...words);
      id = enrolled.face.id;
      await client.here();
      return enrolled;
    });
    const pictures = await Promise.all([40, 50, 60].map((width) => greyJpeg(width)));
    const images = pictures.map((picture) => picture.toString('base64'));
    const body = Buffer.from(JSON.stringify({ images }));
    const head = ['POST /api/v1/people/default-ken/faces?create=true HTTP/1.1', `x-api-key: ${admin}`];
    await client.send([...head, 'content-type: application/json'], body);
    const [line] = await written(test, ({ length }) => length > 0);
    const whom = { faceid: 'default-ken', faces: [id] };
    assert.deepEqual(told(line), { who: 'key 1', action: 'enrol', outcome: 'aborted', whom });
    assert.equal((await gallery.person('default-ken'))?.faces.length, 1);
  });

  it('has the address of who is gone before anybody asks for it, over TLS too', { timeout }, async (t) => {
    const keys = createKeys({ file: `${await temporaryFolder(t)}/keys.json` });
    const { info } = await keys.add({ name: 'office', role: 'admin' });
    const record = await keys.byId(info.id);
    assert.ok(record);
    const { token, csrf } = await createSessions({ keys, days: 1 }).begin(record);
    const https = await loadCredentials(loadConfig({ CACHE_DIR: await temporaryFolder(t) }));
    let here: () => Promise<void> = () => Promise.resolve();
    const slow: typeof keys = {
      ...keys,
      async sessionSecret() {
        await here();
        return await keys.sessionSecret();
      },
    };
    const test = await testApp(t, { AUTH: 'key', MAX_CONNECTIONS: 0 }, { keys: slow, https });
    await test.gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0));
    await test.app.listen({ host: '127.0.0.1', port: 0 });
    const client = hangUp(test.app, { tls: true });
    here = client.here;
    const session = [`cookie: __Host-kaomon=${token}`, `x-csrf-token: ${csrf}`];
    await client.send(['DELETE /api/default/ken HTTP/1.1', ...session]);
    const [line] = await written(test, ({ length }) => length > 0);
    assert.deepEqual([line.who, line.address, line.outcome], ['office', '127.0.0.1', 'done']);
    assert.equal(await test.gallery.person('default-ken'), undefined);
  });

  it('says of a body that broke off that it was aborted', { timeout }, async (t) => {
    let [asked, arrived] = [0, 0];
    const arrive = () => Promise.resolve(void (arrived += 1));
    const onRoute = (route: RouteOptions) => {
      route.onRequest = [...[route.onRequest ?? []].flat(), arrive];
    };
    const test = await door(t, {}, { onRoute });
    const admin = await test.key('admin');
    for (const type of [
      'application/json',
      'image/jpeg',
      'multipart/form-data; boundary=x',
      'application/zip',
    ]) {
      const url = type.endsWith('zip') ? '/api/v1/import' : '/api/v1/people/default-ken/faces?create=true';
      const before = (await readAudit(test)).length;
      const head = [`POST ${url} HTTP/1.1`, `x-api-key: ${admin}`, `content-type: ${type}`];
      const { socket } = await test.begin([...head, 'content-length: 5000'], '{"image": "');
      await until(() => arrived > asked);
      asked = arrived;
      socket.resetAndDestroy();
      const lines = await written(test, ({ length }) => length > before);
      assert.equal(lines.at(-1)?.outcome, 'aborted', type);
      assert.equal(lines.at(-1)?.who, 'key 1');
    }
  });

  it('names everybody whom a deletion took, in lines of bounded length', { timeout }, async (t) => {
    const test = await testApp(t);
    const { app, gallery } = test;
    const ids: string[] = [];
    for (let n = 0; n < 450; n += 1) {
      ids.push((await gallery.createPerson({ groupid: 'default', userid: `u${n}` })).faceid);
    }
    const answer = await app.inject({ method: 'DELETE', url: '/api/v1/recognition/subjects' });
    assert.deepEqual(answer.json(), { deleted: 450 });
    await app.close();
    const lines = await readAudit(test);
    assert.deepEqual(
      lines.map(({ outcome, whom }) => [outcome, (whom.people as string[]).length]),
      [
        ['begun', 200],
        ['begun', 200],
        ['done', 50],
      ],
    );
    assert.deepEqual(lines.flatMap(({ whom }) => whom.people as string[]).sort(), ids.sort());
  });

  it('has a face that was saved by itself', { timeout }, async (t) => {
    const test = await testApp(t, { AUTO_ENROL: true, SAVE_MINIMUM: 5, MIN_ENROL_SIZE: 40 });
    const { app, gallery, vision } = test;
    await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0));
    vision.faces = [face(100, 0.01)];
    await app.inject({ method: 'POST', url: '/api/v1/recognise', payload: { image: TINY_PICTURE } });
    const [line] = await written(test, ({ length }) => length > 0);
    const saved = (await gallery.person('default-ken'))?.faces.find(({ automatic }) => automatic)?.id;
    const whom = { groupid: 'default', userid: 'ken', faces: [saved] };
    assert.deepEqual(told(line), { who: 'automatic enrolment', action: 'enrol', outcome: 'done', whom });
    assert.equal(line.address, 'this server');
  });

  it('grows by no nonsense of whoever has no key', { timeout }, async (t) => {
    const test = await testApp(t, { AUTH: 'key' });
    const { app } = test;
    for (let n = 0; n < 100; n += 1) {
      await app.inject({ method: 'POST', url: '/nowhere', payload: { n } });
      await app.inject({ method: 'POST', url: '/api/v1/session', payload: { n } });
    }
    await app.close();
    const lines = await readAudit(test);
    assert.equal(lines.length, 30);
    assert.ok(lines.every(({ action, route }) => action === 'refused' && route === 'POST /api/v1/session'));
  });
});
