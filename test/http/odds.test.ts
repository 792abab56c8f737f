import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../src/access/keys.js';
import type { Config } from '../../src/settings/config.js';
import { TINY_PICTURE } from '../../src/http/intake/pictures.js';
import type { Meaning } from '../../src/identity/decision.js';
import { squaredDistance } from '../../src/gallery/distance.js';
import { face, PACK, testApp, type TestApp, unitVector } from '../support/app.js';
import { PLAIN_CURVE } from '../support/curve.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { openStream } from '../support/stream-client.js';
import { until } from '../support/until.js';

/** FMR 1e-4 lies at 0.5 on its curve, a decade is 0.1: among 20 people FPIR 1 % is at 0.57, "sure" at 0.37. */
const CURVED = { ...PACK, curve: PLAIN_CURVE };

interface Match {
  faceid: string;
  distance: number;
  odds: number | null;
  oddsAtMost: boolean;
}

/** Ken alone is in the group staff; the group default has 19 people who are opposite to him. */
async function twenty(t: TestContext, settings: Partial<Config> = {}, pack = CURVED): Promise<TestApp> {
  const test = await testApp(t, settings, { pack });
  await test.gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
  await test.gallery.enrol({ groupid: 'staff', userid: 'ken', username: 'Ken' }, unitVector(0));
  for (let n = 0; n < 19; n++) await enrolOne(test, `u${n}`);
  return test;
}

const enrolOne = ({ gallery }: TestApp, userid: string) =>
  gallery.enrol({ groupid: 'default', userid }, unitVector(4));

async function post<T>({ app }: TestApp, url: string, payload: object = { image: TINY_PICTURE }): Promise<T> {
  const answer = await app.inject({ method: 'POST', url, payload });
  assert.equal(answer.statusCode, 200, answer.body);
  return answer.json<T>();
}

async function matchesOf(test: TestApp, query = ''): Promise<Match[]> {
  const { faces } = await post<{ faces: { matches: Match[] }[] }>(test, `/api/v1/recognise${query}`);
  return faces[0].matches;
}

describe('POST /api/v1/recognise', () => {
  it('tells the odds of each match among those searched', async (t) => {
    const test = await twenty(t);
    test.vision.faces = [face(100, 0.5)];
    const [match] = await matchesOf(test);
    assert.deepEqual([match.faceid, match.odds, match.oddsAtMost], ['staff-ken', 2000, false]);
    const [among] = await matchesOf(test, '?groups=staff');
    assert.equal(among.odds, 100, 'one person is searched');
    test.vision.faces = [face(100, 0)];
    const [same] = await matchesOf(test);
    assert.deepEqual(
      [same.odds, same.oddsAtMost],
      [0.06, true],
      'three of a thousand million pairs, 20 faces',
    );
  });

  it('names by the faces searched, until a request says its own threshold', async (t) => {
    const test = await twenty(t);
    test.vision.faces = [face(100, 0.58)];
    assert.deepEqual(await matchesOf(test), []);
    assert.equal((await matchesOf(test, '?groups=staff')).length, 1);
    const [match] = await matchesOf(test, '?threshold=0.9');
    assert.equal(match.odds, 12_500, 'the odds do not hang on it');
    assert.deepEqual(await matchesOf(test, '?threshold=0.5&groups=staff'), []);
    await test.gallery.removeGroup('default', { withPeople: true });
    assert.equal((await matchesOf(test)).length, 1, 'people have gone');
    await test.gallery.createGroup({ groupid: 'default', groupname: 'Default' });
    for (let n = 0; n < 12; n++) await enrolOne(test, `v${n}`);
    test.vision.faces = [face(100, 0.595)];
    assert.deepEqual(await matchesOf(test), [], 'people have come');
  });

  it('searches for a key that is tied to groups among their people only', async (t) => {
    const test = await twenty(t, { AUTH: 'key' });
    const keys = createKeys({ file: test.config.KEYS_FILE });
    const { key } = await keys.add({ name: 'door', role: 'recognise', groups: ['staff'] });
    const headers = { 'x-api-key': key };
    test.vision.faces = [face(100, 0.58)];
    const payload = { image: TINY_PICTURE };
    const answer = await test.app.inject({ method: 'POST', url: '/api/v1/recognise', headers, payload });
    assert.equal(answer.json<{ faces: { matches: Match[] }[] }>().faces[0].matches[0].odds, 631);
    for (const url of ['/api/v1/health', '/api/v1/status']) {
      const { thresholds } = (await test.app.inject({ url, headers })).json<{ thresholds: Meaning }>();
      assert.deepEqual([thresholds.faces, thresholds.by], [1, 'limit'], url);
    }
  });

  it('tells no odds with a pack that nobody measured', async (t) => {
    const test = await twenty(t, {}, PACK as typeof CURVED);
    test.vision.faces = [face(100, 0.49)];
    const [match] = await matchesOf(test);
    assert.deepEqual([match.odds, match.oddsAtMost], [null, false]);
  });
});

describe('the other surfaces', () => {
  it('/api/face_recognizer tells the odds beside the distance, of an unknown face, too', async (t) => {
    const test = await twenty(t);
    test.vision.faces = [face(100, 0.5), face(100, 0.6)];
    const request = { ...(await form(['image', await greyJpeg()], ['deviceid', ''])) };
    const ask = () => test.app.inject({ method: 'POST', url: '/api/face_recognizer', ...request });
    const faces = (await ask()).json<(Match & { probability: number })[]>();
    assert.deepEqual(
      faces.map(({ faceid, probability, odds, oddsAtMost }) => [faceid, probability, odds, oddsAtMost]),
      [
        ['staff-ken', 50, 2000, false],
        ['', 40, 19_800, false],
      ],
    );
  });

  it('/api/face_recognizer has no odds where nobody is enrolled', async (t) => {
    const test = await testApp(t, {}, { pack: CURVED });
    test.vision.faces = [face(100, 0.5)];
    const request = { ...(await form(['image', await greyJpeg()], ['deviceid', ''])) };
    const answer = await test.app.inject({ method: 'POST', url: '/api/face_recognizer', ...request });
    const [{ faceid, distance, odds, oddsAtMost }] = answer.json<Match[]>();
    assert.deepEqual([faceid, distance, odds, oddsAtMost], ['', null, null, false]);
  });

  it('/api/v1/verify tells the rate of the one comparison, whoever is enrolled', async (t) => {
    const test = await twenty(t);
    test.vision.faces = [face(100, 0.45)];
    const sides = { probe: { image: TINY_PICTURE }, against: { faceid: 'staff-ken' } };
    const verify = (query = '') =>
      post<{ same: boolean; threshold: number; falseMatchRate: number; falseMatchRateAtMost: boolean }>(
        test,
        `/api/v1/verify${query}`,
        sides,
      );
    const { same, threshold, falseMatchRate, falseMatchRateAtMost } = await verify();
    assert.ok(Math.abs(threshold - 0.5) < 1e-9, 'the distance of FMR 1e-4, not the threshold among 20 faces');
    assert.deepEqual([same, falseMatchRate, falseMatchRateAtMost], [true, 0.0000316, false]);
    test.vision.faces = [face(100, 0.55)];
    assert.equal((await verify()).same, false);
    assert.equal((await verify('?threshold=0.56')).same, true);
    test.vision.faces = [face(100, 0)];
    const exact = await verify();
    assert.deepEqual([exact.falseMatchRate, exact.falseMatchRateAtMost], [3e-9, true]);
  });

  it('the CompreFace addresses answer one similarity for one FMR', async (t) => {
    const test = await twenty(t, { COMPREFACE_GROUP: 'staff' });
    const ask = async (distance: number) => {
      test.vision.faces = [face(100, distance)];
      const { result } = await post<{ result: { subjects: { similarity: number }[] }[] }>(
        test,
        '/api/v1/recognition/recognize',
        { file: TINY_PICTURE },
      );
      return result[0].subjects[0].similarity;
    };
    assert.equal(await ask(0), 1);
    assert.ok(Math.abs((await ask(0.7)) - 0.5) < 1e-4);
    assert.ok((await ask(0.4)) > 0.97);
  });

  it('/api/v1/health and /status say what the threshold in force means, and that of the moment', async (t) => {
    const test = await twenty(t);
    const read = async (url: string) =>
      (await test.app.inject(url)).json<{ thresholds: Meaning }>().thresholds;
    for (const url of ['/api/v1/health', '/api/v1/status']) {
      const { identical, sure, sentence, ...rest } = await read(url);
      assert.ok(Math.abs(identical - 0.57) < 1e-3 && Math.abs(sure - 0.37) < 1e-3, `${identical} ${sure}`);
      assert.equal(sentence, 'With 20 faces enrolled at most 1 of 100 strangers is given a name.');
      assert.deepEqual(rest, {
        ...{ pair: 0.5, faces: 20, by: 'faces', falseNames: 0.01, falseMatchRate: 5.024e-4 },
        ...{ pairs: 1_000_000_000, beyondPairs: false },
      });
    }
    await enrolOne(test, 'new');
    assert.equal((await read('/api/v1/health')).faces, 21);
  });

  it('the events tell the odds of who is recognised', async (t) => {
    const test = await twenty(t);
    const answer = await test.app.inject({ url: '/api/v1/events', payloadAsStream: true });
    const stream: Readable = answer.stream().setEncoding('utf8');
    let text = '';
    stream.on('data', (chunk: string) => (text += chunk));
    test.vision.faces = [face(100, 0.5)];
    await matchesOf(test, '?groups=staff');
    await until(() => /event: recognised\ndata: .*\n/.test(text));
    const told = JSON.parse(/event: recognised\ndata: (.*)\n/.exec(text)?.[1] ?? '') as Match;
    assert.deepEqual([told.faceid, told.odds, told.oddsAtMost], ['staff-ken', 100, false]);
    const ended = once(stream, 'end');
    await test.app.close();
    await ended;
  });

  it('a face is somebody else’s to an enrolment by the threshold of the whole gallery', async (t) => {
    const test = await twenty(t);
    const enrol = async (distance: number, userid: string) => {
      test.vision.faces = [face(100, distance)];
      const url = `/api/v1/people/staff-${userid}/faces?create=true`;
      return (await test.app.inject({ method: 'POST', url, payload: { image: TINY_PICTURE } })).statusCode;
    };
    assert.equal(await enrol(0.56, 'mia'), 409);
    assert.equal(await enrol(0.59, 'zoe'), 201);
  });

  it('automatic enrolment saves below the distance of "sure" in force', async (t) => {
    const test = await twenty(t, { AUTO_ENROL: true });
    const facesOfKen = async () => (await test.gallery.person('staff-ken'))?.faces.length;
    test.vision.faces = [face(100, 0.4)];
    await matchesOf(test, '?groups=staff');
    test.vision.faces = [face(100, 0.35)];
    await matchesOf(test);
    await until(async () => (await facesOfKen()) === 2);
    const saved = (await test.gallery.vectors('staff-ken')).find(({ face: { automatic } }) => automatic);
    const distance = squaredDistance(saved?.vector ?? unitVector(4), unitVector(0));
    assert.ok(Math.abs(distance - 0.35) < 1e-3, 'not the first, though in its group it was sure');
  });
});

describe('a stream', () => {
  it('tells the odds of each face, and the thresholds when they move under it', async (t) => {
    const test = await twenty(t);
    await test.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = test.app.server.address() as AddressInfo;
    const client = await openStream(`ws://127.0.0.1:${port}/api/v1/stream`);
    t.after(() => client.socket.terminate());
    const jpeg = await greyJpeg(320, 240);
    test.vision.faces = [face(100, 0.565)];
    const faceOf = async () => {
      const answer = await client.ask(jpeg);
      assert.ok(answer.type === 'frame');
      const [{ faceid, odds, oddsAtMost, sure }] = answer.faces;
      return { faceid, odds, oddsAtMost, sure };
    };
    const hello = await client.told('hello');
    assert.equal(hello.thresholds.faces, 20);
    assert.deepEqual(await faceOf(), { faceid: 'staff-ken', odds: 8900, oddsAtMost: false, sure: false });
    assert.deepEqual(await faceOf(), { faceid: 'staff-ken', odds: 8900, oddsAtMost: false, sure: false });
    assert.equal(client.received.length, 3, 'nothing is said while nothing changes');

    for (let n = 0; n < 5; n++) await enrolOne(test, `late${n}`);
    const stranger = await faceOf();
    assert.deepEqual(
      [stranger.faceid, stranger.odds],
      ['', 11_100],
      'in the next frame, not at the next embedding',
    );
    const told = await client.told('thresholds');
    assert.equal(told.thresholds.faces, 25);
    assert.ok(told.thresholds.identical < hello.thresholds.identical);

    client.options({ groups: ['staff'], track: false });
    assert.deepEqual(await faceOf(), { faceid: 'staff-ken', odds: 447, oddsAtMost: false, sure: false });
    assert.equal(
      (await client.told('thresholds', ({ thresholds }) => thresholds.faces === 1)).type,
      'thresholds',
    );
    test.vision.faces = [face(100, 0.49)];
    assert.equal((await faceOf()).sure, true, 'one in 10,000 among those searched');
  });
});
