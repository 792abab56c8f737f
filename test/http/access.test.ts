import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import type { onRequestAsyncHookHandler, RouteOptions } from 'fastify';
import { createKeys } from '../../src/access/keys.js';
import { ROLES, type Role } from '../../src/access/roles.js';
import { face, testApp, type TestApp } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';

interface Guarded extends TestApp {
  routes: RouteOptions[];
  /** A key of each role, and one of each role for the group `other` only. */
  keyOf: Record<Role | `${Role}-other`, string>;
  revoked: string;
}

type Body = Record<string, string>;
/** Asks for an answer in the place of the route's own handler. */
const STOP = 'x-test-stop';
const LET_IN = 299;
const header = (key: string) => ({ 'x-api-key': key });

async function guarded(t: TestContext, settings: Parameters<typeof testApp>[1] = {}): Promise<Guarded> {
  const routes: RouteOptions[] = [];
  const onRoute = (route: RouteOptions) => {
    routes.push(route);
    // Behind the app's own hooks: what comes so far has been let in, and a stream of events need not begin.
    const letIn: onRequestAsyncHookHandler = async (request, reply) => {
      if (request.headers[STOP]) await reply.status(LET_IN).send();
    };
    route.onRequest = [...[route.onRequest ?? []].flat(), letIn];
  };
  const test = await testApp(t, { AUTH: 'key', ...settings }, { onRoute });
  const keys = createKeys({ file: test.config.KEYS_FILE });
  const keyOf: Record<string, string> = {};
  for (const role of ROLES) {
    keyOf[role] = (await keys.add({ name: role, role })).key;
    keyOf[`${role}-other`] = (await keys.add({ name: `${role}-other`, role, groups: ['other'] })).key;
  }
  const { key: revoked } = await keys.add({ name: 'revoked', role: 'admin' });
  await keys.revoke('revoked');
  return { ...test, routes, keyOf, revoked };
}

/** Every method and address, with something fit in the place of each parameter. */
function callsOf(routes: RouteOptions[]) {
  return routes.flatMap(({ method, url, config }) =>
    [method].flat().map((word) => ({
      method: word as 'GET' | 'HEAD',
      pattern: `${word} ${url}`,
      url: url.replace(/:\w+/g, 'default').replace('*', 'no-such-file'),
      access: config?.access,
    })),
  );
}

describe('every route', () => {
  it('says who may call it', async (t) => {
    const { routes } = await guarded(t);
    const silent = callsOf(routes).filter(({ access }) => access === undefined);
    assert.deepEqual(
      silent.map(({ pattern }) => pattern),
      [],
    );
    assert.ok(routes.length > 12);
  });

  it('is for everybody only where this list says so', async (t) => {
    const { routes } = await guarded(t);
    const open = callsOf(routes)
      .filter(({ access, method }) => access === 'public' && method !== 'HEAD')
      .map(({ pattern }) => pattern);
    // Pages and their files: what they show comes from the API.
    const pages = open.filter((pattern) => !pattern.includes('/api/'));
    assert.deepEqual(
      open.filter((pattern) => !pages.includes(pattern)).sort(),
      [
        'GET /api/v1/health',
        'GET /api/v1/live',
        'GET /api/v1/ready',
        'GET /api/v1/session',
        'POST /api/v1/session',
      ].sort(),
    );
    for (const pattern of pages)
      assert.match(
        pattern,
        /^GET \/(assets\/[\w.-]+|people\/:faceid|icon\.svg|[a-z]*|sw\.js|manifest\.webmanifest|docs\/.*)$/,
      );
  });

  it('answers 401 without a key or with a revoked or invented one, and reads no body for it', async (t) => {
    const { app, routes, revoked, keyOf, vision } = await guarded(t, { AUTH_FAILURES: 10_000 });
    const invented = keyOf.admin.slice(0, -3) + 'AAA';
    for (const { method, url, pattern, access } of callsOf(routes)) {
      if (access === 'public') continue;
      for (const headers of [
        {},
        header(revoked),
        header(invented),
        header('x'),
        { cookie: 'kaomon=a.b.c.d' },
      ]) {
        const answer = await app.inject({ method, url, headers });
        assert.equal(answer.statusCode, 401, `${pattern} ${JSON.stringify(headers)}`);
        assert.match(String(answer.headers['www-authenticate']), /Bearer/);
        if (method === 'HEAD') continue;
        const body = answer.json<Body>();
        // Each surface says it in its own words.
        if (/ \/api\/v1\/(recognition|detection|verification)\//.test(pattern))
          assert.ok([10, 20].includes(Number(body.code)), pattern);
        else if (/ \/api\/(?!v1\/)/.test(pattern)) assert.equal(body.mid, 'E9003', pattern);
        else assert.equal(body.code, 'UNAUTHORISED', pattern);
      }
    }
    assert.equal(vision.asked.length, 0);
  });

  it('answers 403 to each role below its own and lets the others in', async (t) => {
    const { app, routes, keyOf } = await guarded(t);
    for (const { method, url, pattern, access } of callsOf(routes)) {
      if (access === 'public' || access === undefined) continue;
      for (const role of ROLES) {
        for (const key of [keyOf[role], keyOf[`${role}-other`]]) {
          const answer = await app.inject({ method, url, headers: { ...header(key), [STOP]: '1' } });
          const enough: boolean = ROLES.indexOf(role) >= ROLES.indexOf(access);
          assert.equal(answer.statusCode, enough ? LET_IN : 403, `${pattern} as ${role}: ${answer.body}`);
        }
      }
    }
  });
});

describe('a key that is tied to a group', () => {
  it('sees, recognises, enrols and deletes nobody of another', async (t) => {
    const test = await guarded(t);
    const { app, vision, gallery, keyOf } = test;
    const picture = await greyJpeg();
    await gallery.createGroup({ groupid: 'other', groupname: 'Other' });
    const post = async (key: string, path: string, ...parts: [string, string | Uint8Array][]) => {
      vision.faces = [face()];
      const { headers, payload } = await form(...parts, ['image', picture]);
      return await app.inject({
        method: 'POST',
        url: `/api/${path}`,
        headers: { ...headers, ...header(key) },
        payload,
      });
    };
    const enrol = (key: string, groupid: string) =>
      post(key, 'face_register', ['userid', 'ken'], ['groupid', groupid]);
    assert.equal((await enrol(keyOf.enrol, 'default')).statusCode, 200);

    const refused = await enrol(keyOf['enrol-other'], 'default');
    assert.deepEqual([refused.statusCode, refused.json<Body>().mid], [403, 'E9004']);
    const get = async (path: string) =>
      (await app.inject({ url: path, headers: header(keyOf['admin-other']) })).json<Body[]>();
    const ids = (groups: Body[]) => groups.map(({ groupid }) => groupid);
    assert.deepEqual(ids(await get('/api/groups')), ['other']);
    assert.deepEqual(ids(await get('/api/v1/groups')), ['other']);
    assert.deepEqual(await get('/api/faceid_infos'), []);
    const info = await app.inject({
      url: '/api/faceid_info/default-ken',
      headers: header(keyOf['admin-other']),
    });
    assert.equal(info.statusCode, 403);
    const [found] = (await post(keyOf['recognise-other'], 'face_recognizer')).json<Body[]>();
    assert.deepEqual([found.faceid, found.username, found.distance, found.probability], ['', null, null, 0]);
    const [seen] = (await post(keyOf.recognise, 'face_recognizer')).json<Body[]>();
    assert.equal(seen.faceid, 'default-ken');

    const remove = (key: string) =>
      app.inject({ method: 'DELETE', url: '/api/default/ken', headers: header(key) });
    assert.equal((await remove(keyOf['admin-other'])).statusCode, 403);
    assert.ok(await gallery.person('default-ken'));
    const group = { method: 'POST', url: '/api/v1/groups', payload: { groupid: 'mine' } } as const;
    const made = await app.inject({ ...group, headers: header(keyOf['admin-other']) });
    assert.equal(made.statusCode, 403);
    assert.equal((await remove(keyOf.enrol)).statusCode, 200);
    assert.equal((await enrol(keyOf['enrol-other'], 'other')).statusCode, 200);
  });

  it('reaches nobody of another group by any address', async (t) => {
    const test = await guarded(t);
    const { app, vision, gallery, keyOf } = test;
    const secret = 'Ken of the vault';
    await gallery.createGroup({ groupid: 'other', groupname: 'Other' });
    const ken = await gallery.enrol(
      { groupid: 'default', userid: 'ken', username: secret, crop: await greyJpeg() },
      face().embedding ?? new Float32Array(),
    );
    const before = JSON.stringify(await gallery.person('default-ken'));
    const parameters: Record<string, string> = {
      ...{ faceid: 'default-ken', groupid: 'default', userid: 'ken', id: ken.id, subject: secret },
      ...{ image_id: ken.id },
    };
    const picture = (await greyJpeg()).toString('base64');
    const payload = {
      ...{ username: 'taken', from: 'default-ken', groupid: 'other', userid: 'ken', subject: 'taken' },
      ...{ images: [picture], image: picture, file: picture, faceid: 'default-ken', groupname: 'taken' },
    };
    let asked = 0;
    for (const { method, pattern } of callsOf(test.routes)) {
      const [, address] = pattern.split(' ');
      if (!address.startsWith('/api/') || /events|stream|session|keys|selftest/.test(address)) continue;
      const url = address.replace(/:(\w+)/g, (_, name: string) =>
        encodeURIComponent(parameters[name] ?? 'default'),
      );
      vision.faces = [face()];
      const hasBody = !['GET', 'HEAD', 'DELETE'].includes(method);
      const answer = await app.inject({
        ...{
          method,
          url: `${url}?groups=default&group=default&k=5&limit=5`,
          headers: header(keyOf['admin-other']),
        },
        ...(hasBody && { payload }),
      });
      asked += 1;
      // An error may repeat the subject that was asked for.
      const told = answer.body.includes(secret) && !url.includes(encodeURIComponent(secret));
      assert.ok(!told, `${pattern} tells the name`);
      const named = /:(faceid|groupid)/.test(address);
      if (named)
        assert.ok([400, 403, 404, 415].includes(answer.statusCode), `${pattern}: ${answer.statusCode}`);
      assert.equal(
        JSON.stringify(await gallery.person('default-ken')),
        before,
        `${pattern} changed the person`,
      );
    }
    assert.ok(asked > 40, `${asked} addresses`);
  });

  it('makes no keys and sees none', async (t) => {
    const { app, keyOf } = await guarded(t);
    const headers = header(keyOf['admin-other']);
    const payload = { name: 'free', role: 'admin' };
    for (const request of [
      { method: 'GET', url: '/api/v1/keys' },
      { method: 'POST', url: '/api/v1/keys', payload },
      { method: 'DELETE', url: '/api/v1/keys/0123456789' },
    ] as const) {
      assert.equal((await app.inject({ ...request, headers })).statusCode, 403);
    }
  });
});

describe('/api/v1/keys', () => {
  it('makes a key that works, lists it without its hash, and revokes it', async (t) => {
    const { app, keyOf } = await guarded(t);
    const headers = header(keyOf.admin);
    const payload = { name: 'door', role: 'enrol', groups: ['default'] };
    const made = await app.inject({ method: 'POST', url: '/api/v1/keys', headers, payload });
    assert.equal(made.statusCode, 201);
    const { key, ...info } = made.json<Record<string, unknown>>();
    assert.deepEqual(Object.keys(info), ['id', 'name', 'role', 'groups', 'createdAt']);
    const list = (await app.inject({ url: '/api/v1/keys', headers })).json<Body[]>();
    assert.deepEqual(list.at(-1), info);
    const asDoor = { authorization: `Bearer ${String(key)}` };
    assert.equal((await app.inject({ url: '/api/v1/groups', headers: asDoor })).statusCode, 200);
    const twice = await app.inject({ method: 'POST', url: '/api/v1/keys', headers, payload });
    assert.deepEqual([twice.statusCode, twice.json<Body>().code], [409, 'KEY_EXISTS']);
    const url = `/api/v1/keys/${String(info.id)}`;
    assert.equal((await app.inject({ method: 'DELETE', url, headers })).statusCode, 200);
    assert.equal((await app.inject({ url: '/api/v1/groups', headers: asDoor })).statusCode, 401);
    assert.equal((await app.inject({ method: 'DELETE', url, headers })).statusCode, 404);
    const own = list.find(({ name }) => name === 'admin')?.id ?? '';
    const itself = await app.inject({ method: 'DELETE', url: `/api/v1/keys/${own}`, headers });
    assert.equal(itself.statusCode, 403);
  });
});

/** Signs a page in. */
async function signIn({ app, keyOf }: Guarded, role: Role, headers: Record<string, string> = {}) {
  const payload = { key: keyOf[role] };
  const answer = await app.inject({ method: 'POST', url: '/api/v1/session', headers, payload });
  assert.equal(answer.statusCode, 200, answer.body);
  const [cookie] = answer.cookies;
  return { answer, cookie, jar: { [cookie.name]: cookie.value }, csrf: answer.json<{ csrf: string }>().csrf };
}

describe('/api/v1/session', () => {
  it('signs a page in by a key, with a cookie that scripts and other sites cannot use', async (t) => {
    const test = await guarded(t);
    const before = await test.app.inject('/api/v1/session');
    assert.deepEqual(before.json(), { auth: 'key', signedIn: false });
    const { answer, cookie, jar, csrf } = await signIn(test, 'enrol');
    const { maxAge } = cookie;
    assert.deepEqual(
      { ...cookie, value: '' },
      { name: 'kaomon', value: '', path: '/', httpOnly: true, sameSite: 'Strict', maxAge },
    );
    assert.equal(maxAge, 30 * 86_400);
    const me = { auth: 'key', signedIn: true, name: 'enrol', role: 'enrol', groups: null, csrf };
    assert.deepEqual(answer.json(), me);
    assert.deepEqual((await test.app.inject({ url: '/api/v1/session', cookies: jar })).json(), me);
    assert.equal((await test.app.inject({ url: '/api/v1/groups', cookies: jar })).statusCode, 200);
    assert.equal((await test.app.inject({ url: '/api/v1/keys', cookies: jar })).statusCode, 403);
  });

  it('says "Secure" behind a trusted proxy that speaks HTTPS, and to nobody who only claims to', async (t) => {
    const headers = { 'x-forwarded-proto': 'https' };
    const behind = await guarded(t, { TRUST_PROXY: '127.0.0.1' });
    const { cookie } = await signIn(behind, 'enrol', headers);
    assert.deepEqual([cookie.name, cookie.secure], ['__Host-kaomon', true]);
    const direct = await guarded(t);
    assert.equal((await signIn(direct, 'enrol', headers)).cookie.secure, undefined);
  });

  it('changes nothing without the CSRF token, nor for another site’s page', async (t) => {
    const test = await guarded(t);
    const { jar, csrf } = await signIn(test, 'admin');
    const other = await signIn(test, 'admin');
    const request = {
      method: 'POST',
      url: '/api/v1/groups',
      payload: { groupid: 'g' },
      cookies: jar,
    } as const;
    const cases: [headers: Record<string, string>, status: number][] = [
      [{}, 403],
      [{ 'x-csrf-token': other.csrf }, 403],
      [{ 'x-csrf-token': csrf, origin: 'https://evil.example' }, 403],
      [{ 'x-csrf-token': csrf, origin: 'null' }, 403],
      [{ 'x-csrf-token': csrf, origin: 'https://kaomon.lan:8443', host: 'kaomon.lan:8443' }, 201],
    ];
    for (const [headers, status] of cases) {
      const answer = await test.app.inject({ ...request, headers });
      assert.equal(answer.statusCode, status, JSON.stringify(headers));
    }
  });

  it('opens no WebSocket to another site’s page, with a cookie or without any keys', async (t) => {
    const test = await guarded(t);
    const { jar } = await signIn(test, 'admin');
    const upgrade = { upgrade: 'websocket', host: 'kaomon.lan' };
    const ask = async (headers: Record<string, string>) =>
      (await test.app.inject({ url: '/api/v1/groups', cookies: jar, headers })).statusCode;
    assert.equal(await ask({ ...upgrade, origin: 'https://evil.example' }), 403);
    assert.equal(await ask({ ...upgrade, origin: 'https://kaomon.lan' }), 200);
    const open = await testApp(t);
    const asked = await open.app.inject({
      url: '/api/v1/groups',
      headers: { ...upgrade, origin: 'https://evil.example' },
    });
    assert.equal(asked.statusCode, 403);
  });

  it('ends by signing out, and with its key', async (t) => {
    const test = await guarded(t);
    const { app, config } = test;
    const [one, two] = [await signIn(test, 'enrol'), await signIn(test, 'enrol')];
    const status = async (cookies: Record<string, string>) =>
      (await app.inject({ url: '/api/v1/groups', cookies })).statusCode;
    const out = { method: 'DELETE', url: '/api/v1/session', cookies: one.jar } as const;
    assert.equal((await app.inject(out)).statusCode, 403);
    const ended = await app.inject({ ...out, headers: { 'x-csrf-token': one.csrf } });
    assert.equal(ended.statusCode, 200);
    assert.equal(ended.cookies[0].value, '');
    assert.equal(await status(one.jar), 401);
    assert.equal(await status(two.jar), 200);
    await createKeys({ file: config.KEYS_FILE }).revoke('enrol');
    assert.equal(await status(two.jar), 401);
  });

  it('limits wrong keys by address, but no right ones', async (t) => {
    const { app, keyOf } = await guarded(t, { AUTH_FAILURES: 3 });
    const ask = (key: string, remoteAddress = '198.51.100.7') =>
      app.inject({ url: '/api/v1/groups', headers: header(key), remoteAddress });
    assert.equal((await ask(keyOf.admin)).statusCode, 200);
    for (let n = 0; n < 3; n += 1) assert.equal((await ask('kao_guess')).statusCode, 401);
    const limited = await ask('kao_guess');
    assert.equal(limited.statusCode, 429);
    assert.ok(Number(limited.headers['retry-after']) > 800);
    assert.equal((await ask('kao_guess', '198.51.100.8')).statusCode, 401);
    assert.equal((await ask(keyOf.admin)).statusCode, 200, 'verified before');
    const payload = { key: keyOf.enrol };
    const signing = { method: 'POST', url: '/api/v1/session', payload } as const;
    const known = await app.inject({ ...signing, remoteAddress: '198.51.100.7' });
    assert.equal(known.statusCode, 200, 'never verified before');
    const unknown = { ...signing, payload: { key: 'kao_guess' }, remoteAddress: '198.51.100.7' };
    assert.equal((await app.inject(unknown)).statusCode, 429);
  });

  it('is for everybody where no key is asked for', async (t) => {
    const { app } = await testApp(t);
    const me = { auth: 'none', signedIn: true, name: 'nobody', role: 'admin', groups: null };
    assert.deepEqual((await app.inject('/api/v1/session')).json(), me);
    const payload = { key: 'anything' };
    assert.deepEqual((await app.inject({ method: 'POST', url: '/api/v1/session', payload })).json(), me);
  });
});

describe('the audit of calls', () => {
  it('has a line for what was changed and what was refused, without pictures', async (t) => {
    const test = await guarded(t);
    const { app, keyOf, config, vision } = test;
    vision.faces = [face()];
    const { headers, payload } = await form(
      ['userid', 'ken'],
      ['groupid', 'default'],
      ['image', await greyJpeg()],
    );
    const register = { method: 'POST', url: '/api/face_register', payload } as const;
    await app.inject({ ...register, headers: { ...headers, ...header(keyOf.enrol) } });
    await app.inject({ ...register, headers: { ...headers, ...header(keyOf.recognise) } });
    await app.inject({ method: 'DELETE', url: '/api/default/ken', headers: header(keyOf.enrol) });
    await app.inject({ url: '/api/v1/groups' });
    await app.inject({ url: '/api/v1/groups', headers: header(keyOf.enrol) });
    await app.close();
    const text = await readFile(config.AUDIT_FILE, 'utf8');
    const lines = text.trimEnd().split('\n');
    const short = lines.map((line) => {
      const { who, action, whom, outcome, status } = JSON.parse(line) as Record<string, unknown>;
      const { faces, receipt, ...ids } = whom as Record<string, unknown>;
      assert.equal(receipt !== undefined, action === 'delete');
      if (action === 'enrol') assert.match(String(faces), /^default-ken_\d{8}_\d{6}_\w+$/);
      return [who, action, ids, outcome, status];
    });
    const ken = { groupid: 'default', userid: 'ken' };
    assert.deepEqual(short, [
      ['enrol', 'enrol', ken, 'done', 200],
      ['recognise', 'refused', {}, 'refused', 403],
      ['enrol', 'delete', ken, 'done', 200],
      ['nobody', 'refused', {}, 'refused', 401],
    ]);
    for (const line of lines) assert.ok(line.length < 400, line);
  });

  it('counts refused calls of an address beyond 30 a minute instead of writing each', async (t) => {
    const { app, config } = await guarded(t);
    for (let n = 0; n < 50; n += 1) await app.inject({ url: '/api/v1/groups' });
    await app.close();
    const lines = (await readFile(config.AUDIT_FILE, 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, 30);
  });
});

describe('limits', () => {
  it('answer 429 with Retry-After in the surface’s own shape, key by key', async (t) => {
    const { app, keyOf } = await guarded(t, { RATE_LIMIT: 3 });
    const ask = (key: string, url = '/api/v1/groups') => app.inject({ url, headers: header(key) });
    for (let n = 0; n < 3; n += 1) assert.equal((await ask(keyOf.enrol)).statusCode, 200);
    const limited = await ask(keyOf.enrol);
    assert.equal(limited.statusCode, 429);
    assert.ok(Number(limited.headers['retry-after']) > 0);
    assert.equal(limited.json<Body>().code, 'TOO_MANY_REQUESTS');
    assert.equal((await ask(keyOf.enrol, '/api/groups')).json<Body>().mid, 'E9002');
    assert.equal((await ask(keyOf.admin)).statusCode, 200);
  });

  it('last a minute, also when the clock is set back by a day', async (t) => {
    const { app, keyOf } = await guarded(t, { RATE_LIMIT: 1 });
    const ask = () => app.inject({ url: '/api/v1/groups', headers: header(keyOf.enrol) });
    const real = performance.now.bind(performance);
    let later = 0;
    t.mock.method(performance, 'now', () => real() + later);
    assert.equal((await ask()).statusCode, 200);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 86_400_000 });
    const limited = await ask();
    assert.equal(limited.statusCode, 429);
    assert.ok(Number(limited.headers['retry-after']) <= 60, String(limited.headers['retry-after']));
    later += 60_000;
    assert.equal((await ask()).statusCode, 200);
  });

  it('let pages of listed origins call, and no others', async (t) => {
    const closed = await guarded(t);
    const preflight = {
      method: 'OPTIONS',
      url: '/api/v1/groups',
      headers: { origin: 'https://a.example', 'access-control-request-method': 'POST' },
    } as const;
    const refused = await closed.app.inject(preflight);
    assert.equal(refused.headers['access-control-allow-origin'], undefined);
    const open = await guarded(t, { CORS_ORIGINS: 'https://a.example,https://b.example' });
    const allowed = await open.app.inject(preflight);
    assert.equal(allowed.statusCode, 204);
    assert.equal(allowed.headers['access-control-allow-origin'], 'https://a.example');
    assert.equal(allowed.headers['access-control-allow-credentials'], undefined);
    const headers = { ...header(open.keyOf.recognise), origin: 'https://c.example' };
    const other = await open.app.inject({ url: '/api/v1/groups', headers });
    assert.equal(other.headers['access-control-allow-origin'], undefined);
  });
});
