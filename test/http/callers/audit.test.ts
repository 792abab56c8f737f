import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import type { RouteOptions } from 'fastify';
import { createKeys } from '../../../src/access/keys.js';
import type { Gallery } from '../../../src/gallery/types.js';
import { readAudit } from '../../support/audit-lines.js';
import { face, testApp } from '../../support/app.js';
import { type Call, changingCalls } from '../../support/changing-calls.js';
import { hangUp } from '../../support/hang-up.js';
import { temporaryFolder } from '../../support/temporary.js';
import { until } from '../../support/until.js';

const timeout = 60_000;

/** Where the client hangs up: while it is found out who it is, before the handler, while the handler works. */
type Place = 'key' | 'handler' | 'work';

const CHANGES = [
  ...['createGroup', 'updateGroup', 'removeGroup', 'createPerson', 'updatePerson', 'movePerson'],
  ...['mergePerson', 'remove', 'enrol', 'enrolOnce', 'removeFace'],
  ...['correct', 'removeCorrection', 'setThreshold'],
] as (keyof Gallery)[];

async function listening(t: TestContext, place: Place) {
  const isChange = ({ method, config }: RouteOptions) =>
    ![method].flat().some((word) => ['GET', 'HEAD', 'OPTIONS'].includes(word)) &&
    // A check-up changes nothing.
    config?.audit !== false &&
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
    verify: held('key', keys.verify.bind(keys)),
    add: held('work', keys.add.bind(keys)),
    tie: held('work', keys.tie.bind(keys)),
    revoke: held('work', keys.revoke.bind(keys)),
    endSession: held('work', keys.endSession.bind(keys)),
    sessionSecret: held('work', keys.sessionSecret.bind(keys)),
  };
  // Without a bound nobody asks for the address at the beginning.
  const settings = { AUTH: 'key', MAX_CONNECTIONS: 0, COMPREFACE_GROUP: 'cf', SIGHTINGS: true } as const;
  const test = await testApp(t, settings, { onRoute, keys: slow });
  await test.app.listen({ host: '127.0.0.1', port: 0 });
  for (const name of CHANGES) {
    const work = (test.gallery[name] as (...words: unknown[]) => Promise<unknown>).bind(test.gallery);
    t.mock.method(test.gallery, name, held('work', work) as never);
  }
  const client = hangUp(test.app);
  hung.here = client.here;
  return { ...test, routes, hung, client, keys, key };
}

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
    // Works on the file of keys, and to the receivers of notices, by itself, where nothing here can hold it.
    if (place === 'work' && /\/(?:link|notices\/test)$/.test(pattern)) continue;
    // As here, of the sightings.
    if (place === 'work' && /\/(?:sightings|unknowns)\//.test(pattern)) continue;
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
    await until(
      async () => (await readAudit(test)).some((line) => line.requestId === requestId),
      10_000,
    ).catch(() => assert.fail(`${pattern} left no line`));
    hung.isOn = false;
    asked.push([pattern, call, requestId]);
  }
  await app.close();
  const lines = await readAudit(test);
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
