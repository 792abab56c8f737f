import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Gallery } from '../../../src/gallery/types.js';
import type { Config } from '../../../src/settings/config.js';
import { MOST_EMBEDDINGS, MOST_RESULTS } from '../../../src/identity/results.js';
import { TINY_PICTURE } from '../../../src/http/intake/pictures.js';
import { face, type TestApp, unitVector } from '../../support/app.js';
import { door } from '../../support/door.js';
import { form } from '../../support/form.js';
import { hangUp } from '../../support/hang-up.js';
import { greyJpeg } from '../../support/pictures.js';
import { openStream } from '../../support/stream-client.js';
import { until } from '../../support/until.js';

const timeout = 60_000;
const EMBEDDINGS = '/api/v1/recognition/embeddings/recognize';
const vectors = (count: number, distance = 2) =>
  Array.from({ length: count }, () => [...unitVector(distance)]);

type Headers = Record<string, string>;
/** Who calls: by a key, or without one by an address. */
type Who = { headers: Headers } | { remoteAddress: string };

/** Searches that begin and end when the test says so. */
function holdSearches(t: TestContext, gallery: Gallery) {
  const nearest = gallery.nearest.bind(gallery);
  const begun: { asked: Parameters<Gallery['nearest']>; end: () => void }[] = [];
  let isOpen = false;
  t.mock.method(gallery, 'nearest', async (...asked: Parameters<Gallery['nearest']>) => {
    await new Promise<void>((resolve) => {
      begun.push({ asked, end: resolve });
      if (isOpen) resolve();
    });
    return await nearest(...asked);
  });
  return {
    begun,
    /** Lets all of them end, and those that come. */
    open() {
      isOpen = true;
      for (const { end } of begun) end();
    },
  };
}

async function ready(t: TestContext, settings: Partial<Config> = {}) {
  const test = await door(t, { AUTH: 'none', ...settings });
  await test.gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0));
  test.vision.faces = [face()];
  return { ...test, searches: holdSearches(t, test.gallery) };
}

function recognise(app: TestApp['app'], who: Who, embeddings: number[][], count = 1) {
  const { headers, ...from } = { headers: {}, ...who };
  return app.inject({
    ...{ method: 'POST', url: `${EMBEDDINGS}?prediction_count=${count}`, payload: { embeddings } },
    ...{ headers, ...from },
  });
}

describe('searches', () => {
  for (const auth of ['key', 'none'] as const) {
    it(
      `of one caller are answered between those of another's thousand (AUTH=${auth})`,
      { timeout },
      async (t) => {
        const { app, key, searches } = await ready(t, { AUTH: auth });
        const whoIs = async (n: number): Promise<Who> =>
          auth === 'key'
            ? { headers: { 'x-api-key': await key('admin') } }
            : { remoteAddress: `10.0.0.${n}` };
        const [greedy, other] = [await whoIs(1), await whoIs(2)];
        const answers = [recognise(app, greedy, vectors(1000)), recognise(app, greedy, vectors(1000))];
        await until(() => searches.begun.length === 3);
        const single = { isAnswered: false };
        const answered = recognise(app, other, vectors(1, 0)).then((answer) => {
          single.isAnswered = true;
          return answer;
        });
        await until(async () => (await figure(app, other, 'kaomon_searches_in_flight')) === 7);
        for (let at = 0; !single.isAnswered; at += 1) {
          await until(() => single.isAnswered || searches.begun.length > at);
          searches.begun[at]?.end();
          await new Promise((resolve) => setImmediate(resolve));
        }
        assert.ok(searches.begun.length < 20, `${searches.begun.length} searches came before`);
        const { statusCode, body } = await answered;
        assert.equal(statusCode, 200, body);
        searches.open();
        for (const answer of await Promise.all(answers)) {
          assert.equal(answer.statusCode, 200);
          assert.equal(answer.json<{ result: unknown[] }>().result.length, 1000);
        }
      },
    );

    it(`beyond the limit are refused, the greedy caller first (AUTH=${auth})`, { timeout }, async (t) => {
      const test = await ready(t, { AUTH: auth, MAX_SEARCHES: 8 });
      const { app, key, searches, vision } = test;
      const whoIs = async (n: number): Promise<Who> =>
        auth === 'key' ? { headers: { 'x-api-key': await key('admin') } } : { remoteAddress: `10.0.0.${n}` };
      const [greedy, second, third] = [await whoIs(1), await whoIs(2), await whoIs(3)];
      const held = [recognise(app, greedy, vectors(9)), recognise(app, greedy, vectors(9))];
      await until(() => searches.begun.length === 3);
      const refused = await recognise(app, greedy, vectors(1));
      assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [429, '2']);
      // A caller who comes with one is let in; with the next everything is taken.
      held.push(recognise(app, second, vectors(1)), recognise(app, third, vectors(1)));
      await until(async () => (await figure(app, third, 'kaomon_searches_in_flight')) === 8);

      const jpeg = await greyJpeg();
      const picture = await form(['image', jpeg], ['deviceid', '']);
      const file = TINY_PICTURE;
      const { headers, ...from } = { headers: {}, ...third };
      const post = (url: string, payload: object) =>
        app.inject({ method: 'POST', url, payload, headers, ...from });
      const answers = [
        await recognise(app, third, vectors(1)),
        await post('/api/v1/recognition/recognize', { file }),
        await post('/api/v1/recognise', { image: file }),
        await post('/api/v1/verify', { probe: { image: file }, against: { faceid: 'default-ken' } }),
        await post('/api/v1/people/default-new/faces?create=true', { image: file }),
        await app.inject({
          ...{ method: 'POST', url: '/api/face_recognizer', payload: picture.payload, ...from },
          headers: { ...headers, ...picture.headers },
        }),
      ];
      for (const { statusCode, headers: told, body } of answers)
        assert.deepEqual([statusCode, told['retry-after']], [503, '2'], body);
      assert.equal(answers[0].json<{ code: number }>().code, 41);
      assert.equal(answers[5].json<{ mid: string }>().mid, 'E9002');
      assert.equal(vision.asked.length, 0, 'nothing was analysed in vain');

      for (const url of ['/api/v1/live', '/api/v1/ready', '/api/v1/session'])
        assert.equal((await app.inject({ url, ...from })).statusCode, 200, url);
      const payload = { key: 'headers' in third ? third.headers['x-api-key'] : 'none' };
      const signIn = await app.inject({ method: 'POST', url: '/api/v1/session', payload, ...from });
      assert.equal(signIn.statusCode, 200, signIn.body);

      searches.open();
      for (const { statusCode } of await Promise.all(held)) assert.equal(statusCode, 200);
      assert.equal((await recognise(app, greedy, vectors(1))).statusCode, 200);
      assert.equal(await figure(app, third, 'kaomon_searches_in_flight'), 0);
      assert.ok((await figure(app, third, 'kaomon_searches_refused_total{reason="caller"}')) > 0);
      assert.ok((await figure(app, third, 'kaomon_searches_refused_total{reason="busy"}')) > 0);
    });
  }

  it('that are full refuse a frame before it is looked at', { timeout }, async (t) => {
    const { app, port, vision, searches } = await ready(t, { MAX_SEARCHES: 4, CALLER_SHARE: 100 });
    const held = [
      recognise(app, { remoteAddress: '10.0.0.1' }, vectors(9)),
      recognise(app, { remoteAddress: '10.0.0.1' }, vectors(1)),
    ];
    await until(() => searches.begun.length === 3);
    const client = await openStream(`ws://127.0.0.1:${port}/api/v1/stream`);
    const told = await client.ask(await greyJpeg());
    assert.ok(told.type === 'error');
    assert.deepEqual([told.code, told.retryAfter, vision.asked.length], ['BUSY', 2, 0]);
    searches.open();
    await Promise.all(held);
    assert.equal((await client.ask(await greyJpeg())).type, 'frame');
    client.socket.close();
  });

  it(
    'of a picture with many faces wait for one another, and are not refused half-way',
    { timeout },
    async (t) => {
      const { app, vision, searches } = await ready(t, { MAX_SEARCHES: 4 });
      vision.faces = Array.from({ length: 100 }, () => face());
      const ask = () =>
        app.inject({ method: 'POST', url: '/api/v1/recognise?k=100', payload: { image: TINY_PICTURE } });
      const crowd = ask();
      await until(() => searches.begun.length > 0);
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(searches.begun.length, 3);
      searches.open();
      const { statusCode, body } = await crowd;
      assert.equal(statusCode, 200, body);
      assert.equal((JSON.parse(body) as { faces: unknown[] }).faces.length, 100);
      assert.equal(searches.begun.length, 100);
    },
  );

  it('end with the caller who hangs up', { timeout }, async (t) => {
    const { app, gallery } = await door(t, { AUTH: 'none' });
    await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0));
    const client = hangUp(app);
    const nearest = gallery.nearest.bind(gallery);
    let begun = 0;
    t.mock.method(gallery, 'nearest', async (...asked: Parameters<Gallery['nearest']>) => {
      begun += 1;
      if (begun === 1) await client.here();
      else if (begun <= 3) await until(() => begun === 0);
      return await nearest(...asked);
    });
    const body = Buffer.from(JSON.stringify({ embeddings: vectors(1000) }));
    await client.send([`POST ${EMBEDDINGS} HTTP/1.1`, 'content-type: application/json'], body);
    const inFlight = () => figure(app, { remoteAddress: '10.0.0.9' }, 'kaomon_searches_in_flight');
    await until(() => begun === 3);
    begun = 0;
    await until(async () => (await inFlight()) === 0);
    // A few may begin before the server has heard of it.
    assert.ok(begun < 100, `${begun} of a thousand began after the caller had gone`);
  });

  it('of one person are all that a verification asks for', async (t) => {
    const { app, gallery, searches } = await ready(t);
    searches.open();
    for (let n = 0; n < 20; n += 1)
      await gallery.enrol({ groupid: 'default', userid: `u${n}` }, unitVector(n / 10));
    const against = { faceid: 'default-ken' };
    const answer = await app.inject({
      ...{ method: 'POST', url: '/api/v1/verify' },
      payload: { probe: { vector: [...unitVector(1)], pack: 'tiny' }, against },
    });
    assert.equal(answer.statusCode, 200, answer.body);
    assert.deepEqual(
      searches.begun.map(({ asked: [, ...asked] }) => asked),
      [[1, against]],
    );
  });
});

describe('enrolments', () => {
  it('beyond the limit are refused, a deletion never', { timeout }, async (t) => {
    const { app, gallery, vision } = await door(t, { AUTH: 'none', MAX_ENROLMENTS: 4 });
    await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0));
    vision.faces = [face()];
    const ends: (() => void)[] = [];
    const enrolOnce = gallery.enrolOnce.bind(gallery);
    t.mock.method(gallery, 'enrolOnce', async (...asked: Parameters<Gallery['enrolOnce']>) => {
      await new Promise<void>((resolve) => ends.push(resolve));
      return await enrolOnce(...asked);
    });
    const post = (n: number, url: string, payload: object) =>
      app.inject({ method: 'POST', url, payload, remoteAddress: `10.0.0.${n}` });
    const enrol = (n: number, userid: string) =>
      post(n, `/api/v1/people/default-${userid}/faces?create=true&force=true`, { image: TINY_PICTURE });
    const held = [enrol(1, 'a'), enrol(1, 'b'), enrol(1, 'c')];
    await until(() => ends.length === 3);
    const mine = await enrol(1, 'd');
    assert.deepEqual([mine.statusCode, mine.headers['retry-after']], [429, '2'], mine.body);
    held.push(enrol(2, 'e'));
    await until(() => ends.length === 4);
    const asked = vision.asked.length;
    const full = [
      await enrol(3, 'f'),
      await post(3, '/api/v1/recognition/faces?subject=f&force=true', { file: TINY_PICTURE }),
      await post(3, '/api/v1/people', { groupid: 'default', userid: 'g' }),
      await post(3, '/api/v1/groups', { groupid: 'new', groupname: 'New' }),
      await post(3, '/api/v1/recognition/subjects', { subject: 'h' }),
    ];
    for (const { statusCode, headers, body } of full)
      assert.deepEqual([statusCode, headers['retry-after']], [503, '2'], body);
    assert.equal(vision.asked.length, asked, 'nothing was analysed in vain');
    const deleted = await app.inject({ method: 'DELETE', url: '/api/v1/people/default-ken' });
    assert.equal(deleted.statusCode, 200, deleted.body);
    for (const end of ends) end();
    for (const { statusCode, body } of await Promise.all(held)) assert.equal(statusCode, 201, body);
    assert.equal((await post(3, '/api/v1/people', { groupid: 'default', userid: 'g' })).statusCode, 201);
    assert.equal(await figure(app, { remoteAddress: '10.0.0.9' }, 'kaomon_enrolments_in_flight'), 0);
  });
});

describe('one call', () => {
  const crowd = (count: number) => Array.from({ length: count }, () => face());
  const image = TINY_PICTURE;
  const embeddings = (count: number) => ({ embeddings: vectors(count) });
  /** What multiplies in one call: the most that is taken, and what is refused. */
  const CALLS: {
    url: string;
    faces?: number;
    body: object;
    limit?: number;
    fits: boolean;
  }[] = [
    { url: `${EMBEDDINGS}?prediction_count=10`, body: embeddings(1000), fits: true },
    { url: `${EMBEDDINGS}?prediction_count=1000`, body: embeddings(10), fits: true },
    { url: `${EMBEDDINGS}?prediction_count=1000`, body: embeddings(11), limit: MOST_RESULTS, fits: false },
    { url: `${EMBEDDINGS}?prediction_count=1000`, body: embeddings(1000), limit: MOST_RESULTS, fits: false },
    {
      url: '/api/v1/recognition/recognize?prediction_count=100',
      faces: 100,
      body: { file: image },
      fits: true,
    },
    {
      ...{ url: '/api/v1/recognition/recognize?prediction_count=100', faces: 101, body: { file: image } },
      ...{ limit: MOST_RESULTS, fits: false },
    },
    { url: '/api/v1/recognise?k=100', faces: 100, body: { image }, fits: true },
    { url: '/api/v1/recognise?k=100', faces: 101, body: { image }, limit: MOST_RESULTS, fits: false },
    {
      url: '/api/v1/recognise?k=100',
      faces: 60,
      body: { images: [image, image] },
      limit: MOST_RESULTS,
      fits: false,
    },
    { url: '/api/v1/embed', faces: 500, body: { images: [image, image] }, fits: true },
    {
      url: '/api/v1/embed',
      faces: 501,
      body: { images: [image, image] },
      limit: MOST_EMBEDDINGS,
      fits: false,
    },
  ];

  it('has a limit on what it multiplies, and says which', { timeout }, async (t) => {
    const { app, vision, searches } = await ready(t);
    searches.open();
    for (const { url, faces = 1, body, limit, fits } of CALLS) {
      vision.faces = crowd(faces);
      searches.begun.length = 0;
      const answer = await app.inject({ method: 'POST', url, payload: body });
      const what = `${url} with ${faces} faces`;
      // Of a list the picture that is one too many is refused.
      const isList = 'images' in body;
      assert.equal(answer.statusCode, fits || isList ? 200 : 422, `${what}: ${answer.body.slice(0, 300)}`);
      interface Refusal {
        error?: { code: string; details: { limit: number } };
      }
      const { results = [] } = answer.json<{ results?: Refusal[] }>();
      const refused = results.find(({ error }) => error)?.error;
      if (limit === undefined) assert.equal(refused, undefined, what);
      else if (isList) assert.deepEqual([refused?.code, refused?.details.limit], ['TOO_MANY_RESULTS', limit]);
      else {
        assert.ok(answer.json<{ message: string }>().message.includes(String(limit)), what);
        assert.equal(searches.begun.length, 0, what);
      }
    }
    vision.faces = crowd(101);
    const answer = await app.inject({ method: 'POST', url: '/api/v1/recognise?k=100', payload: { image } });
    const { code, details } = answer.json<{ code: string; details: object }>();
    assert.deepEqual([code, details], ['TOO_MANY_RESULTS', { limit: MOST_RESULTS, faces: 101, people: 100 }]);
    const ofCompreFace = await app.inject({
      ...{ method: 'POST', url: `${EMBEDDINGS}?prediction_count=1000`, payload: embeddings(11) },
    });
    assert.equal(ofCompreFace.json<{ code: number }>().code, 26);
  });

  it('has the same answer in slices as in one piece', async (t) => {
    const { app, searches } = await ready(t);
    searches.open();
    const result = async (count: number) => {
      const answer = await app.inject({ method: 'POST', url: EMBEDDINGS, payload: embeddings(count) });
      assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
      assert.equal(answer.headers['content-length'], String(Buffer.byteLength(answer.rawPayload)));
      return answer.json<{ result: unknown[] }>().result;
    };
    const [one] = await result(1);
    assert.deepEqual(
      await result(1000),
      Array.from({ length: 1000 }, () => one),
    );
  });
});

/** A figure of `/metrics`. */
async function figure(app: TestApp['app'], who: Who, name: string): Promise<number> {
  const { body } = await app.inject({ url: '/metrics', ...who });
  const line = body.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.split(' ').at(-1) ?? 0);
}
