import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KaomonError } from '../../src/platform/errors.js';
import { MESSAGE_IDS } from '../../src/http/maiface/format.js';
import { toProbability } from '../../src/http/maiface/face-recognizer.js';
import { face, testApp, type TestApp } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg, hugePng, truncatedJpeg } from '../support/pictures.js';

const picture = await greyJpeg(200, 150);

async function post({ app }: TestApp, path: string, ...parts: Parameters<typeof form>) {
  return app.inject({ method: 'POST', url: `/api/${path}`, ...(await form(...parts)) });
}

const register = (test: TestApp, userid: string, bytes: Uint8Array = picture, groupid = 'default') =>
  post(test, 'face_register', ['userid', userid], ['groupid', groupid], ['image', bytes]);
const recognise = (test: TestApp, bytes: Uint8Array = picture) =>
  post(test, 'face_recognizer', ['image', bytes], ['deviceid', '']);

describe('registering and recognising', () => {
  it('names a person who was registered, with every field of the contract', async (t) => {
    const test = await testApp(t);
    test.vision.faces = [face(100)];
    const registered = await register(test, 'yuki.1');
    assert.equal(registered.statusCode, 200);
    assert.deepEqual(registered.json(), {
      result: 'SUCCESS',
      mid: 'S1001',
      msg: 'Registered',
      groupid: 'default',
      userid: 'yuki.1',
      faceid: 'default-yuki.1',
    });

    test.vision.faces = [face(120.4, 0.1239), face(40, 3)];
    const found = await recognise(test);
    assert.equal(found.statusCode, 200);
    const [known, unknown] = found.json<Record<string, unknown>[]>();
    assert.ok(Math.abs((known.distance as number) - 0.1239) < 1e-4);
    assert.deepEqual(
      { ...known, distance: undefined },
      {
        result: 'detect',
        faceid: 'default-yuki.1',
        userid: 'yuki.1',
        username: 'yuki.1',
        groupid: 'default',
        groupname: 'Default',
        probability: 87.6,
        x: 10,
        y: 10,
        width: 120,
        height: 120,
        distance: undefined,
        odds: null,
        oddsAtMost: false,
      },
    );
    assert.deepEqual(
      { ...unknown, distance: undefined },
      {
        result: 'detect',
        faceid: '',
        userid: null,
        username: null,
        groupid: null,
        groupname: null,
        probability: 0,
        x: 10,
        y: 10,
        width: 40,
        height: 40,
        distance: undefined,
        odds: null,
        oddsAtMost: false,
      },
    );
    const stages = String(found.headers['server-timing']).match(/\w+(?=;dur=\d)/g);
    assert.deepEqual(stages, ['queue', 'decode', 'detect', 'embed', 'search']);
  });

  it('answers an empty list for a picture without a face, and unknown faces from an empty gallery', async (t) => {
    const test = await testApp(t);
    assert.deepEqual((await recognise(test)).json(), []);
    test.vision.faces = [face()];
    const [unknown] = (await recognise(test)).json<Record<string, unknown>[]>();
    assert.equal(unknown.faceid, '');
    assert.equal(unknown.probability, 0);
    assert.equal(unknown.distance, null);
  });

  it('names a face just below the threshold and none at it', async (t) => {
    const test = await testApp(t, { IDENTICAL_DISTANCE: 0.3 });
    test.vision.faces = [face()];
    await register(test, 'ken');
    test.vision.faces = [face(100, 0.299), face(100, 0.301)];
    const faceids = (await recognise(test)).json<{ faceid: string }[]>().map(({ faceid }) => faceid);
    assert.deepEqual(faceids, ['default-ken', '']);
  });

  it('keeps boxes inside the picture', async (t) => {
    const test = await testApp(t);
    test.vision.faces = [{ ...face(), box: { x1: -7.6, y1: -3, x2: 320, y2: 149.6 } }];
    const [{ x, y, width, height }] = (await recognise(test)).json<Record<string, number>[]>();
    assert.deepEqual([x, y, width, height], [0, 0, 200, 150]);
  });

  it('takes the fields in any order, and a name to show', async (t) => {
    const test = await testApp(t);
    test.vision.faces = [face()];
    const answer = await post(
      test,
      'face_register',
      ['image', picture],
      ['username', ' 雪 '],
      ['unheard-of', 'is ignored'],
      ['groupid', 'default'],
      ['userid', 'yuki'],
    );
    assert.equal(answer.statusCode, 200);
    assert.equal((await test.gallery.person('default-yuki'))?.username, '雪');
  });

  it('lists people, answers one, and forgets a deleted one', async (t) => {
    const test = await testApp(t);
    const { app } = test;
    test.vision.faces = [face()];
    await register(test, 'ken');
    const info = { faceid: 'default-ken', groupid: 'default', userid: 'ken', numfiles: 1 };
    assert.deepEqual((await app.inject('/api/faceid_infos')).json(), [info]);
    assert.deepEqual((await app.inject('/api/faceid_info/default-ken')).json(), info);
    assert.deepEqual((await app.inject('/api/groups')).json(), [
      { groupid: 'default', groupname: 'Default' },
    ]);

    const deleted = await app.inject({ method: 'DELETE', url: '/api/default/ken' });
    assert.equal(deleted.statusCode, 200);
    assert.deepEqual(deleted.json(), {
      result: 'SUCCESS',
      mid: 'S1011',
      msg: 'Deleted',
      groupid: 'default',
      userid: 'ken',
      faceid: 'default-ken',
    });
    assert.deepEqual((await app.inject('/api/faceid_infos')).json(), []);
    const [unknown] = (await recognise(test)).json<{ faceid: string }[]>();
    assert.equal(unknown.faceid, '');
  });

  it('does not let a face in the background stop a registration', async (t) => {
    const test = await testApp(t);
    test.vision.faces = [face(100), face(45)];
    assert.equal((await register(test, 'ken')).statusCode, 200);
    // The picture is 200 pixels wide: of the second face's box a quarter lies outside, of the third's a sixth.
    const beside = (x1: number) => ({ ...face(), box: { x1, y1: 10, x2: x1 + 80, y2: 90 } });
    test.vision.faces = [face(100, 2), beside(140)];
    assert.equal((await register(test, 'mai')).statusCode, 200, 'cut by the edge');
    test.vision.faces = [face(100, 4), beside(133)];
    assert.equal((await register(test, 'aya')).statusCode, 422, 'nearly whole');
  });
});

describe('what cannot be registered', () => {
  const cases: [title: string, userid: string, groupid: string, status: number, mid: string, says: RegExp][] =
    [
      ['no userid', '', 'default', 400, 'E2001', /userid/],
      ['no groupid', 'ken', '', 400, 'E2002', /groupid/],
      ['a userid of 65 letters', 'a'.repeat(65), 'default', 400, 'E2001', /userid/],
      ['../ in the userid', '../ken', 'default', 400, 'E2003', /user ID/],
      ['../ in the groupid', 'ken', '../../etc', 400, 'E2003', /group ID/],
      ['a dot at the start', '.ken', 'default', 400, 'E2003', /user ID/],
      ['a hyphen', 'ken-2', 'default', 400, 'E2003', /user ID/],
      ['a group nobody made', 'ken', 'nowhere', 404, 'E2005', /nowhere/],
    ];
  for (const [title, userid, groupid, status, mid, says] of cases) {
    it(`${title}: ${status} ${mid}`, async (t) => {
      const test = await testApp(t);
      test.vision.faces = [face()];
      const answer = await register(test, userid, picture, groupid);
      assert.equal(answer.statusCode, status);
      const body = answer.json<Record<string, string>>();
      assert.deepEqual(Object.keys(body), ['result', 'mid', 'msg', 'groupid', 'userid', 'faceid']);
      assert.equal(body.result, 'ERROR');
      assert.equal(body.mid, mid);
      assert.match(body.msg, says);
      assert.equal(test.vision.asked.length, 0, 'no model runs for a request that is refused anyway');
    });
  }

  it('missing fields are named', async (t) => {
    const test = await testApp(t);
    for (const [missing, mid] of [
      ['userid', 'E2001'],
      ['groupid', 'E2002'],
      ['image', 'E2004'],
    ]) {
      const parts: Parameters<typeof form> = [
        ['userid', 'ken'],
        ['groupid', 'default'],
        ['image', picture],
      ];
      const answer = await post(test, 'face_register', ...parts.filter(([name]) => name !== missing));
      assert.equal(answer.statusCode, 400);
      assert.equal(answer.json<{ mid: string }>().mid, mid);
      assert.match(answer.json<{ msg: string }>().msg, new RegExp(`"${missing}" is missing`));
    }
  });

  const unfit: [title: string, faces: ReturnType<typeof face>[], mid: string, says: RegExp][] = [
    ['no face', [], 'E2006', /No face/],
    ['two faces', [face(100), face(80)], 'E2007', /2 faces/],
    ['a face of 39 pixels', [face(39)], 'E2008', /39 pixels.*40/],
  ];
  for (const [title, faces, mid, says] of unfit) {
    it(`${title}: 422 ${mid}`, async (t) => {
      const test = await testApp(t);
      test.vision.faces = faces;
      const answer = await register(test, 'ken');
      assert.equal(answer.statusCode, 422);
      assert.equal(answer.json<{ mid: string }>().mid, mid);
      assert.match(answer.json<{ msg: string }>().msg, says);
      assert.equal(test.gallery.info().faces, 0);
    });
  }

  it('the same person twice within 5 seconds: 409 E1002, later it is taken, whatever the clock is set to', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 });
    const real = performance.now.bind(performance);
    let later = 0;
    t.mock.method(performance, 'now', () => real() + later);
    const test = await testApp(t);
    test.vision.faces = [face()];
    assert.equal((await register(test, 'ken')).statusCode, 200);
    later += 4000;
    // Set back by a day meanwhile: what was enrolled lies ahead.
    t.mock.timers.setTime(1_700_000_000_000 - 86_400_000);
    const again = await register(test, 'ken');
    assert.equal(again.statusCode, 409);
    assert.equal(again.json<{ mid: string }>().mid, 'E1002');
    assert.ok(Number(again.headers['retry-after']) >= 1);
    test.vision.faces = [face(100, 2)];
    assert.equal((await register(test, 'mai')).statusCode, 200, 'others do not wait');
    test.vision.faces = [face()];
    later += 1001;
    assert.equal((await register(test, 'ken')).statusCode, 200);
  });

  it('takes the next picture at once where the setting says so', async (t) => {
    const test = await testApp(t, { DOUBLE_REGISTRATION_SECONDS: 0 });
    test.vision.faces = [face()];
    assert.equal((await register(test, 'ken')).statusCode, 200);
    test.vision.faces = [face(100, 0.01)];
    assert.equal((await register(test, 'ken', await greyJpeg(65))).statusCode, 200);
    assert.equal(test.gallery.info().faces, 2);
  });

  it('the same person twice at once: one is taken', async (t) => {
    const test = await testApp(t);
    test.vision.faces = [face()];
    let open: () => void = () => undefined;
    test.vision.gate = new Promise((resolve) => (open = resolve));
    const both = [register(test, 'ken'), register(test, 'ken')];
    const first = await Promise.race(both);
    assert.equal(first.statusCode, 409);
    open();
    const statuses = (await Promise.all(both)).map(({ statusCode }) => statusCode).sort();
    assert.deepEqual(statuses, [200, 409]);
    assert.equal(test.gallery.info().faces, 1);
  });
});

describe('bad pictures and bodies', () => {
  const FIELDS: Parameters<typeof form> = [
    ['userid', 'ken'],
    ['groupid', 'default'],
  ];
  const pictures: [
    title: string,
    bytes: () => Promise<Uint8Array> | Uint8Array,
    status: number,
    says: RegExp,
  ][] = [
    ['an empty file', () => Buffer.alloc(0), 400, /"image" is missing/],
    ['not a picture', () => Buffer.from('hello, world'), 415, /JPEG/],
    ['a truncated JPEG', truncatedJpeg, 400, /damaged or cut off/],
    ['100 megapixels in a few kB', () => hugePng(10_000), 413, /1000000/],
    ['an upload over the limit', () => Buffer.alloc(60_000), 413, /50000 bytes/],
    ['an upload far over the limit', () => Buffer.alloc(200_000), 413, /50000 bytes/],
  ];
  for (const path of ['face_recognizer', 'face_register']) {
    for (const [title, bytes, status, says] of pictures) {
      it(`${path}: ${title}: ${status}, and the next request is served`, async (t) => {
        const test = await testApp(t, { MAX_UPLOAD_BYTES: 50_000 });
        const answer = await post(test, path, ...FIELDS, ['image', await bytes()]);
        assert.equal(answer.statusCode, status);
        const { result, mid, msg } = answer.json<Record<string, string>>();
        assert.deepEqual([result, mid], ['ERROR', 'E2004']);
        assert.match(msg, says);
        assert.equal((await recognise(test)).statusCode, 200);
      });
    }
  }

  it('an empty body, with and without a form', async (t) => {
    const test = await testApp(t);
    const headers = { 'content-type': 'multipart/form-data; boundary=x' };
    for (const request of [{}, { headers }, { headers, payload: '--x--\r\n' }]) {
      const answer = await test.app.inject({ method: 'POST', url: '/api/face_recognizer', ...request });
      assert.equal(answer.statusCode, 400);
      assert.match(answer.json<{ msg: string }>().msg, /"image" is missing/);
    }
  });

  it('a form cut off in the picture, or without a boundary', async (t) => {
    const test = await testApp(t);
    const whole = await form(...FIELDS, ['image', picture]);
    for (const request of [
      { ...whole, payload: whole.payload.subarray(0, whole.payload.length - 100) },
      { ...whole, headers: { 'content-type': 'multipart/form-data' } },
    ]) {
      const answer = await test.app.inject({ method: 'POST', url: '/api/face_register', ...request });
      assert.equal(answer.statusCode, 400);
      assert.match(answer.json<{ msg: string }>().msg, /malformed or cut off/);
    }
  });

  it('a field given twice, as a file, too long, or the picture as text', async (t) => {
    const test = await testApp(t);
    const image: Parameters<typeof form>[number] = ['image', picture];
    const cases: [Parameters<typeof form>, RegExp][] = [
      [[...FIELDS, ['userid', 'mai'], image], /"userid" may be given once/],
      [[...FIELDS, image, image], /"image" may be given once/],
      [[['userid', Buffer.from('ken')], ['groupid', 'default'], image], /"userid" must be text/],
      [[['userid', 'k'.repeat(2000)], ['groupid', 'default'], image], /"userid" is too long/],
      [[...FIELDS, ['image', 'text']], /"image" must be sent as a file/],
    ];
    for (const [parts, says] of cases) {
      const answer = await post(test, 'face_register', ...parts);
      assert.equal(answer.statusCode, 400);
      assert.match(answer.json<{ msg: string }>().msg, says);
    }
    assert.equal(test.gallery.info().people, 0);
  });

  it('names no field of a prototype', async (t) => {
    const test = await testApp(t);
    const answer = await post(test, 'face_recognizer', ['__proto__', 'x'], ['image', picture]);
    assert.equal(answer.statusCode, 400);
  });

  it('a body that is no form: 415', async (t) => {
    const { app } = await testApp(t);
    for (const type of ['application/json', 'image/jpeg']) {
      const answer = await app.inject({
        method: 'POST',
        url: '/api/face_recognizer',
        headers: { 'content-type': type },
        payload: '{}',
      });
      assert.equal(answer.statusCode, 415);
      assert.equal(answer.json<{ result: string }>().result, 'ERROR');
    }
  });
});

describe('failures of the server', () => {
  it('a full queue: 503 with Retry-After', async (t) => {
    const test = await testApp(t);
    test.vision.failure = new KaomonError('BUSY', 'Too many pictures are waiting.', { retryAfter: 2 });
    const answer = await recognise(test);
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.headers['retry-after'], '2');
    assert.equal(answer.json<{ mid: string }>().mid, 'E9002');
  });

  it('a fault: 500 without its text, which the log has whole', async (t) => {
    const test = await testApp(t);
    test.vision.failure = new Error('secret path /etc/kaomon');
    const recognised = await recognise(test);
    const registered = await register(test, 'ken');
    for (const [answer, mid] of [
      [recognised, 'E9001'],
      [registered, 'E1001'],
    ] as const) {
      assert.equal(answer.statusCode, 500);
      assert.equal(answer.json<{ mid: string }>().mid, mid);
      assert.doesNotMatch(answer.body, /secret/);
      assert.ok(answer.body.includes(String(answer.headers['x-request-id'])));
    }
    assert.equal(test.log.filter((line) => JSON.stringify(line).includes('secret path')).length, 2);
  });

  it('deleting nobody, from nowhere, or by a path: 404 and 400', async (t) => {
    const { app } = await testApp(t);
    for (const [url, status, mid] of [
      ['/api/default/nobody', 404, 'E1011'],
      ['/api/nowhere/ken', 404, 'E2005'],
      ['/api/default/..%2F..%2Fetc', 400, 'E2003'],
      [`/api/default/${'a'.repeat(65)}`, 400, 'E2001'],
      [`/api/default/${'a'.repeat(2301)}`, 404, 'E9001'],
    ] as const) {
      const answer = await app.inject({ method: 'DELETE', url });
      assert.equal(answer.statusCode, status, url);
      assert.equal(answer.json<{ mid?: string }>().mid, mid);
    }
    assert.equal((await app.inject('/api/faceid_info/default-nobody')).statusCode, 404);
  });
});

describe('the contract', () => {
  it('computes the probability as the original does', () => {
    const expected: [distance: number, probability: number][] = [
      [0, 100],
      [0.1239, 87.6],
      [0.43, 57],
      [0.9996, 0],
      [0.9994, 0.1],
      [1, 0],
      [3.9, 0],
    ];
    for (const [distance, probability] of expected) assert.equal(toProbability(distance), probability);
  });

  it('keeps its message ids', () => {
    assert.deepEqual(
      Object.entries(MESSAGE_IDS).map(([id, text]) => `${id} ${text}`),
      [
        'S1001 Registered',
        'E1001 Cannot register',
        'E1002 Already registered',
        'E1003 Registered under another person',
        'E1004 Not the same person',
        'S1011 Deleted',
        'E1011 Cannot delete',
        'E2001 userid invalid',
        'E2002 groupid invalid',
        'E2003 Only 0-9, a-z, A-Z, _ and .',
        'E2004 Cannot get image',
        'E2005 No such group',
        'E2006 No face',
        'E2007 Several faces',
        'E2008 Face too small',
        'E2009 Face blurred',
        'E2010 Face turned away',
        'E2011 No such person',
        'E9001 Cannot answer',
        'E9002 Try again later',
        'E9003 No key',
        'E9004 Not allowed',
      ],
    );
  });
});
