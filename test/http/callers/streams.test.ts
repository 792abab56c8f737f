import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { RouteOptions } from 'fastify';
import type { Config } from '../../../src/settings/config.js';
import { unitVector } from '../../support/app.js';
import { type Door, door } from '../../support/door.js';
import { openStream } from '../../support/stream-client.js';
import { until } from '../../support/until.js';

const timeout = 60_000;
const header = (key: string) => ({ 'x-api-key': key });

/** Follows the events. @returns the status, and how to stop */
async function follow({ begin }: Door, key: string, method = 'GET') {
  const connection = await begin([`${method} /api/v1/events HTTP/1.1`, `x-api-key: ${key}`]);
  return { ...(await connection.answer()), connection };
}

describe('the feed of events', () => {
  it('is not opened by a HEAD, however often', { timeout }, async (t) => {
    const stand = await door(t, { MAX_EVENT_LISTENERS: 4 });
    const key = await stand.key('recognise');
    for (let n = 0; n < 10; n++) {
      const answer = await stand.app.inject({ method: 'HEAD', url: '/api/v1/events', headers: header(key) });
      assert.equal(answer.statusCode, 405);
    }
    assert.equal((await follow(stand, key)).status, 200);
  });

  it('has room again when a listener has hung up', { timeout }, async (t) => {
    const stand = await door(t, { MAX_EVENT_LISTENERS: 2 });
    const key = await stand.key('recognise');
    for (let n = 0; n < 10; n++) {
      let status = 503;
      await until(async () => {
        const listener = await follow(stand, key);
        listener.connection.socket.destroy();
        return (status = listener.status) === 200;
      });
      assert.equal(status, 200);
    }
  });

  it('leaves room for others, however many programs of one key follow it', { timeout }, async (t) => {
    const stand = await door(t, { MAX_EVENT_LISTENERS: 16 });
    const keys = await Promise.all([1, 2, 3, 4].map(() => stand.key('recognise')));
    const got: [letIn: number, refused: number, retryAfter?: string | undefined][] = [];
    for (const key of keys) {
      let letIn = 0;
      let answer = await follow(stand, key);
      for (; answer.status === 200; answer = await follow(stand, key)) letIn += 1;
      got.push([letIn, answer.status, answer.headers['retry-after']]);
    }
    assert.deepEqual(got, [
      [12, 429, '30'],
      [3, 429, '30'],
      [1, 503, '30'],
      [0, 503, '30'],
    ]);
  });
});

describe('streams', () => {
  async function statuses({ port }: Door, key: string, count: number): Promise<(number | undefined)[]> {
    const all = [];
    for (let n = 0; n < count; n++) {
      const opening = openStream(`ws://127.0.0.1:${port}/api/v1/stream`, { headers: header(key) });
      all.push(
        await opening.then(
          () => 101,
          (error: unknown) => (error as { status?: number }).status,
        ),
      );
    }
    return all;
  }

  it('of one key leave room for others', { timeout }, async (t) => {
    const stand = await door(t, { MAX_STREAMS: 4 });
    assert.deepEqual(await statuses(stand, await stand.key('recognise'), 5), [101, 101, 101, 429, 429]);
    assert.deepEqual(await statuses(stand, await stand.key('recognise'), 2), [101, 503]);
  });

  it('may all be one key’s where the setting says so', { timeout }, async (t) => {
    const stand = await door(t, { MAX_STREAMS: 4, CALLER_SHARE: 100 });
    assert.deepEqual(await statuses(stand, await stand.key('recognise'), 5), [101, 101, 101, 101, 503]);
  });
});

describe('an export', () => {
  /** An export that is too large for what lies between, so that it waits for its reader. */
  async function stand(t: TestContext, settings: Partial<Config> = {}) {
    const made = await door(t, settings);
    const crop = Buffer.alloc(1_000_000);
    for (const userid of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'])
      await made.gallery.enrol({ groupid: 'default', userid, crop }, unitVector(0));
    const key = await made.key('admin');
    const begin = async () => {
      const connection = await made.begin(['GET /api/v1/export HTTP/1.1', `x-api-key: ${key}`]);
      const answer = await connection.answer();
      connection.socket.pause();
      return { ...answer, connection };
    };
    return { ...made, key, begin };
  }

  it('is made one at a time, and the next when its reader has gone', { timeout }, async (t) => {
    const { begin } = await stand(t);
    const first = await begin();
    assert.equal(first.status, 200);
    const second = await begin();
    assert.deepEqual([second.status, second.headers['retry-after']], [503, '30']);
    first.connection.socket.destroy();
    await until(async () => {
      const { status, connection } = await begin();
      connection.socket.destroy();
      return status === 200;
    });
  });

  it('is not made for a HEAD', { timeout }, async (t) => {
    const { app, key, gallery } = await stand(t);
    const read = t.mock.method(gallery, 'picture');
    const answer = await app.inject({ method: 'HEAD', url: '/api/v1/export', headers: header(key) });
    assert.equal(answer.statusCode, 405);
    assert.equal(read.mock.callCount(), 0);
  });
});

it('a HEAD of everything else answers as a GET, without what it says', { timeout }, async (t) => {
  const routes: RouteOptions[] = [];
  const stand = await door(t, {}, { onRoute: (route) => routes.push(route) });
  const headers = header(await stand.key('admin'));
  const gets = routes.filter(({ method, url }) => [method].flat().includes('GET') && !url.includes(':'));
  const heads = new Set(
    routes.filter(({ method }) => [method].flat().includes('HEAD')).map(({ url }) => url),
  );
  const without: string[] = [];
  for (const { url } of gets) {
    if (!heads.has(url)) without.push(url);
    if (!heads.has(url) || url === '/metrics' || url.endsWith('/status')) continue;
    const address = url.replace('*', 'icon.svg');
    const [get, head] = [
      await stand.app.inject({ url: address, headers }),
      await stand.app.inject({ method: 'HEAD', url: address, headers }),
    ];
    assert.equal(head.statusCode, get.statusCode, url);
    assert.equal(head.headers['content-type'], get.headers['content-type'], url);
    assert.equal(head.body, '', url);
  }
  assert.deepEqual(without.sort(), [
    '/api/v1/events',
    '/api/v1/export',
    '/api/v1/selftest',
    '/api/v1/stream',
  ]);
});
