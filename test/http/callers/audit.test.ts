import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import type { RouteOptions } from 'fastify';
import type { AuditEntry } from '../../../src/access/audit.js';
import { createKeys } from '../../../src/access/keys.js';
import { loadConfig } from '../../../src/config.js';
import type { Gallery } from '../../../src/gallery/types.js';
import { TINY_PICTURE } from '../../../src/http/pictures.js';
import { loadCredentials } from '../../../src/tls.js';
import { face, testApp, type TestApp, unitVector } from '../../support/app.js';
import { type Call, changingCalls } from '../../support/changing-calls.js';
import { door } from '../../support/door.js';
import { hangUp } from '../../support/hang-up.js';
import { greyJpeg } from '../../support/pictures.js';
import { temporaryFolder } from '../../support/temporary.js';
import { until } from '../../support/until.js';

const timeout = 60_000;

type Line = AuditEntry & { whom: Record<string, unknown> };

/** Where the client hangs up: while it is found out who it is, before the handler, while the handler works. */
type Place = 'key' | 'handler' | 'work';

const CHANGES = [
  ...['createGroup', 'updateGroup', 'removeGroup', 'createPerson', 'updatePerson', 'movePerson'],
  ...['mergePerson', 'remove', 'enrol', 'removeFace'],
] as (keyof Gallery)[];

async function listening(t: TestContext, place: Place) {
  const isChange = ({ method, config }: RouteOptions) =>
    ![method].flat().some((word) => ['GET', 'HEAD', 'OPTIONS'].includes(word)) &&
    (config?.access !== 'recognise' || config.audit !== undefined) &&
    (config?.access !== 'public' || config.audit !== undefined);
  const routes: RouteOptions[] = [];
  const hung: { isOn: boolean; here: () => Promise<void> } = { isOn: false, here: () => Promise.resolve() };
  const wait = async (at: Place) => {
    if (hung.isOn && at === place) await hung.here();
  };
  const onRoute = (route: RouteOptions) => {
    if (isChange(route)) routes.push(route);
    route.preHandler = [
      ...[route.preHandler ?? []].flat(),
      async (request) => {
        if (request.headers['x-request-id']) await wait('handler');
      },
    ];
  };
  const folder = await temporaryFolder(t);
  const keys = createKeys({ file: `${folder}/keys.json` });
  const { key } = await keys.add({ name: 'the office', role: 'admin' });
  const held = <A extends unknown[], R>(at: Place, work: (...words: A) => Promise<R>) => {
    return async (...words: A) => {
      await wait(at);
      return await work(...words);
    };
  };
  const slow = {
    ...keys,
    verify: held('key', keys.verify),
    add: held('work', keys.add),
    revoke: held('work', keys.revoke),
    endSession: held('work', keys.endSession),
    sessionSecret: held('work', keys.sessionSecret),
  };
  // Without a bound nobody asks for the address at the beginning.
  const settings = { AUTH: 'key', MAX_CONNECTIONS: 0, COMPREFACE_GROUP: 'cf' } as const;
  const test = await testApp(t, settings, { onRoute, keys: slow });
  await test.app.listen({ host: '127.0.0.1', port: 0 });
  for (const name of CHANGES) {
    const work = test.gallery[name] as (...words: unknown[]) => Promise<unknown>;
    t.mock.method(test.gallery, name, held('work', work.bind(test.gallery)) as never);
  }
  const client = hangUp(test.app);
  hung.here = client.here;
  return { ...test, routes, hung, client, keys, key };
}

const read = async ({ config }: Pick<TestApp, 'config'>): Promise<Line[]> => {
  const text = await readFile(config.AUDIT_FILE, 'utf8').catch(() => '');
  // What stands behind the last line break is being written.
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
};

/** Sends each call and hangs up at a place. @returns the lines that each has in the audit at last */
async function hungUp(t: TestContext, place: Place) {
  const test = await listening(t, place);
  const { app, client, hung, routes, vision, key } = test;
  const all = await changingCalls(test);
  assert.deepEqual(
    routes.map(({ method, url }) => `${String(method)} ${url}`).sort(),
    Object.keys(all).sort(),
    'each route that changes something is tried',
  );
  vision.faces = [face()];
  const asked: [pattern: string, call: Call, requestId: string][] = [];
  for (const [pattern, call] of Object.entries(all)) {
    // Signing in shows no key in its headers.
    if (place === 'key' && pattern === 'DELETE /api/v1/session') continue;
    const requestId = randomUUID();
    const { url, body, headers = [] } = call;
    const isSession = pattern.endsWith('/session');
    const bytes = body && (body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body)));
    const isJson = body && !(body instanceof Uint8Array);
    hung.isOn = true;
    await client.send(
      [
        ...[`${pattern.split(' ')[0]} ${url} HTTP/1.1`, `x-request-id: ${requestId}`, ...headers],
        ...(isSession ? [] : [`x-api-key: ${key}`]),
        ...(isJson ? ['content-type: application/json'] : []),
      ],
      bytes,
    );
    await until(async () => (await read(test)).some((line) => line.requestId === requestId), 10_000).catch(
      () => assert.fail(`${pattern} left no line`),
    );
    hung.isOn = false;
    asked.push([pattern, call, requestId]);
  }
  await app.close();
  const lines = await read(test);
  const faults = test.log.filter(({ level }) => Number(level) >= 50);
  assert.deepEqual(faults, [], 'nothing failed');
  return asked.map(([pattern, call, requestId]) => ({
    ...{ pattern, call },
    lines: lines.filter((line) => line.requestId === requestId),
  }));
}

describe('a call whose client hangs up', () => {
  for (const place of ['key', 'handler', 'work'] as const) {
    const where = {
      key: 'while its key is checked',
      handler: 'before it is begun',
      work: 'while it is done',
    };
    it(`${where[place]} has one line in the audit`, { timeout }, async (t) => {
      for (const { pattern, call, lines } of await hungUp(t, place)) {
        const text = `${pattern}: ${JSON.stringify(lines)}`;
        assert.equal(lines.length, 1, text);
        const [line] = lines;
        const [method] = pattern.split(' ');
        // A body that was not read before the connection broke is gone with it.
        const isUnread = place === 'key' && call.body !== undefined && pattern !== 'POST /api/v1/session';
        const isAborted = isUnread || (place !== 'work' && call.isDropped);
        assert.equal(line.outcome, isAborted ? 'aborted' : 'done', text);
        assert.equal(line.action, call.action, text);
        assert.equal(line.who, 'the office', text);
        assert.equal(line.address, '127.0.0.1', text);
        assert.ok(line.route?.startsWith(method), text);
        if (isUnread) continue;
        const told = Object.entries(call.whom).map(([name]) => [name, line.whom[name]]);
        const { to, ...whom } = call.whom;
        const expected = isAborted ? whom : call.whom;
        assert.deepEqual(
          Object.fromEntries(told.filter(([name]) => String(name) in expected)),
          { ...expected, ...(to !== undefined && !isAborted && { to }) },
          text,
        );
      }
    });
  }
});

/** Waits for lines that `fit`. */
async function written(test: Pick<TestApp, 'config'>, fits: (lines: Line[]) => boolean): Promise<Line[]> {
  await until(async () => fits(await read(test)), 20_000);
  return await read(test);
}

const told = ({ who, action, outcome, whom }: Line) => ({ who, action, outcome, whom });

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
    const { socket, answer } = await begin([
      'GET /api/v1/export?groups=staff HTTP/1.1',
      `x-api-key: ${admin}`,
    ]);
    assert.equal((await answer()).status, 200);
    const line = { who: 'key 1', action: 'export', whom: { groups: ['staff'] } };
    assert.deepEqual((await read(test)).map(told), [{ ...line, outcome: 'begun' }]);
    socket.resetAndDestroy();
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
    assert.equal((await read(test)).length, 4);
  });

  it('has what had been enrolled of several pictures when the client went', { timeout }, async (t) => {
    const test = await door(t);
    const { app, gallery, vision, key } = test;
    const admin = await key('admin');
    vision.faces = [face()];
    const client = hangUp(app);
    const enrol = gallery.enrol.bind(gallery);
    let id = '';
    t.mock.method(gallery, 'enrol', async (...words: Parameters<Gallery['enrol']>) => {
      const enrolled = await enrol(...words);
      id = enrolled.id;
      await client.here();
      return enrolled;
    });
    const body = Buffer.from(JSON.stringify({ images: [TINY_PICTURE, TINY_PICTURE, TINY_PICTURE] }));
    const head = ['POST /api/v1/people/default-ken/faces?create=true HTTP/1.1', `x-api-key: ${admin}`];
    await client.send([...head, 'content-type: application/json'], body);
    const [line] = await written(test, ({ length }) => length > 0);
    const whom = { faceid: 'default-ken', faces: [id] };
    assert.deepEqual(told(line), { who: 'key 1', action: 'enrol', outcome: 'aborted', whom });
    assert.equal(gallery.person('default-ken')?.faces.length, 1);
  });

  it(
    'has the address of one who is gone before it is known who it is, over TLS too',
    { timeout },
    async (t) => {
      const keys = createKeys({ file: `${await temporaryFolder(t)}/keys.json` });
      const { key } = await keys.add({ name: 'office', role: 'admin' });
      const https = await loadCredentials(loadConfig({ CACHE_DIR: await temporaryFolder(t) }));
      let here: () => Promise<void> = () => Promise.resolve();
      const slow: typeof keys = {
        ...keys,
        async verify(...words) {
          await here();
          return await keys.verify(...words);
        },
      };
      const test = await testApp(t, { AUTH: 'key', MAX_CONNECTIONS: 0 }, { keys: slow, https });
      await test.gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0));
      await test.app.listen({ host: '127.0.0.1', port: 0 });
      const client = hangUp(test.app, { tls: true });
      here = client.here;
      await client.send(['DELETE /api/default/ken HTTP/1.1', `x-api-key: ${key}`]);
      const [line] = await written(test, ({ length }) => length > 0);
      assert.deepEqual([line.who, line.address, line.outcome], ['office', '127.0.0.1', 'done']);
      assert.equal(test.gallery.person('default-ken'), undefined);
    },
  );

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
      const before = (await read(test)).length;
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
    const lines = await read(test);
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
    const saved = gallery.person('default-ken')?.faces.find(({ automatic }) => automatic)?.id;
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
    const lines = await read(test);
    assert.equal(lines.length, 30);
    assert.ok(lines.every(({ action, route }) => action === 'refused' && route === 'POST /api/v1/session'));
  });
});
