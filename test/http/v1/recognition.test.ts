import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TINY_PICTURE } from '../../../src/http/intake/pictures.js';
import { face, PACK, testApp, unitVector } from '../../support/app.js';
import { form } from '../../support/form.js';
import { greyJpeg, hugePng } from '../../support/pictures.js';

type Answer = Record<string, unknown> & {
  code: string;
  faces: { box: object; matches: { faceid: string; distance: number }[] }[];
  results: ({ width?: number } & Partial<{ status: string; error: { code: string } }>)[];
};

type Verified = Record<'same' | 'distance' | 'person' | 'probe' | 'code', unknown> & {
  message?: string;
  details?: { side?: string };
};

const JPEG = { 'content-type': 'image/jpeg' };

describe('pictures, for every route that takes them', () => {
  it('come as a form, as a raw body, as base64 with and without a data: prefix', async (t) => {
    const { app, vision } = await testApp(t);
    vision.faces = [face()];
    const jpeg = await greyJpeg(64, 48);
    const base64 = jpeg.toString('base64');
    const ways = [
      await form(['image', jpeg]),
      { headers: JPEG, payload: jpeg },
      { headers: { 'content-type': 'IMAGE/PNG; charset=binary' }, payload: jpeg },
      { headers: { 'content-type': 'application/octet-stream' }, payload: jpeg },
      { payload: { image: base64 } },
      { payload: { image: `data:image/jpeg;base64,${base64}` } },
      { payload: { image: base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '') } },
      { payload: { image: base64.replace(/(.{76})/g, '$1\r\n') } },
    ];
    for (const way of ways) {
      const answer = await app.inject({ method: 'POST', url: '/api/v1/detect', ...way });
      assert.equal(answer.statusCode, 200, answer.body);
      const { width, height, faces } = answer.json<Answer>();
      assert.deepEqual([width, height], [64, 48]);
      assert.deepEqual(faces[0].box, { x: 10, y: 10, width: 100, height: 100 });
    }
  });

  it('keep their order and fail one by one', async (t) => {
    const { app } = await testApp(t, { MAX_UPLOAD_BYTES: 20_000 });
    const [small, wide] = [await greyJpeg(64, 48), await greyJpeg(80, 48)];
    const parts: [string, Uint8Array][] = [
      ['image', small],
      ['image', Buffer.from('%PDF-1.7 is no picture')],
      ['image', Buffer.alloc(20_001)],
      ['image', wide],
    ];
    const images = parts.map(([, bytes]) => Buffer.from(bytes).toString('base64'));
    for (const way of [await form(...parts), { payload: { images } }]) {
      const answer = await app.inject({ method: 'POST', url: '/api/v1/detect', ...way });
      assert.equal(answer.statusCode, 200, answer.body);
      const { results } = answer.json<Answer>();
      assert.deepEqual(
        results.map(({ width, error }) => width ?? error?.code),
        [64, 'IMAGE_FORMAT_UNKNOWN', 'UPLOAD_TOO_LARGE', 80],
      );
    }
    const all = await app.inject({
      method: 'POST',
      url: '/api/v1/detect',
      payload: { images: images.slice(1, 3) },
    });
    assert.equal(all.statusCode, 415);
    const body = all.json<Answer>();
    assert.equal(body.code, 'IMAGE_FORMAT_UNKNOWN');
    assert.deepEqual(
      body.results.map(({ status, error }) => [status, error?.code]),
      [
        ['refused', 'IMAGE_FORMAT_UNKNOWN'],
        ['refused', 'UPLOAD_TOO_LARGE'],
      ],
    );
  });

  it('are refused by what is wrong with them', async (t) => {
    const { app } = await testApp(t, { MAX_UPLOAD_BYTES: 20_000 });
    const jpeg = await greyJpeg();
    const many = Array.from({ length: 17 }, (): [string, Uint8Array] => ['image', jpeg]);
    const large = Array.from({ length: 5 }, (): [string, Uint8Array] => ['image', Buffer.alloc(20_000, 1)]);
    const cases: [title: string, way: object, status: number, code: string][] = [
      ['nothing', {}, 400, 'IMAGE_MISSING'],
      ['an empty body', { headers: JPEG, payload: '' }, 400, 'IMAGE_MISSING'],
      ['a form without it', await form(['other', 'x']), 400, 'IMAGE_MISSING'],
      ['text instead of a file', await form(['image', 'x']), 400, 'FIELD_INVALID'],
      ['JSON without it', { payload: {} }, 400, 'IMAGE_MISSING'],
      ['a number', { payload: { image: 7 } }, 400, 'IMAGE_MISSING'],
      ['an empty text', { payload: { image: '' } }, 400, 'IMAGE_MISSING'],
      ['no base64', { payload: { image: 'a picture!' } }, 400, 'IMAGE_UNREADABLE'],
      ['a list that is empty', { payload: { images: [] } }, 400, 'FIELD_INVALID'],
      ['17 in JSON', { payload: { images: many.map(() => 'AAAA') } }, 400, 'FIELD_INVALID'],
      ['17 in a form', await form(...many), 400, 'FIELD_INVALID'],
      ['too large', { headers: JPEG, payload: Buffer.alloc(20_001) }, 413, 'UPLOAD_TOO_LARGE'],
      ['too large together', await form(...large), 413, 'UPLOAD_TOO_LARGE'],
      ['more than any body', { headers: JPEG, payload: Buffer.alloc(200_000) }, 413, 'UPLOAD_TOO_LARGE'],
      ['too many pixels', { headers: JPEG, payload: hugePng(1001) }, 413, 'IMAGE_TOO_LARGE'],
      ['text', { headers: { 'content-type': 'text/plain' }, payload: 'x' }, 415, 'MEDIA_TYPE_UNKNOWN'],
      [
        'a form without a boundary',
        { headers: { 'content-type': 'multipart/form-data' }, payload: 'x' },
        400,
        'BODY_UNREADABLE',
      ],
      ['an unknown field', { payload: { image: 'AAAA', picture: 'AAAA' } }, 400, 'FIELD_INVALID'],
    ];
    for (const [title, way, status, code] of cases) {
      const answer = await app.inject({ method: 'POST', url: '/api/v1/detect', ...way });
      assert.deepEqual([answer.statusCode, answer.json<Answer>().code], [status, code], title);
    }
    const body = await app.inject({ method: 'POST', url: '/api/v1/groups', headers: JPEG, payload: jpeg });
    assert.equal(body.statusCode, 415, 'where none is taken');
  });
});

describe('POST /api/v1/detect', () => {
  it('answers boxes, landmarks, quality, and age and gender when asked', async (t) => {
    const { app, vision } = await testApp(t);
    vision.faces = [
      {
        ...face(),
        landmarks: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        quality: { size: 100, sharpness: 55.55, brightness: 120 },
        age: 31.26,
        gender: { value: 'female', probability: 0.9 },
      },
      face(50),
    ];
    const ask = async (query: string) => {
      const url = `/api/v1/detect${query}`;
      const answer = await app.inject({ method: 'POST', url, payload: { image: TINY_PICTURE } });
      assert.equal(answer.statusCode, 200, answer.body);
      return answer.json<Answer>().faces;
    };
    const [plain] = await ask('?minFaceSize=30&maxFaces=2&minProbability=0.5');
    assert.deepEqual(plain, {
      box: { x: 10, y: 10, width: 100, height: 100 },
      probability: 0.99,
      landmarks: [
        [1, 2],
        [3, 4],
        [5, 6],
        [7, 8],
        [9, 10],
      ],
      quality: { size: 100, sharpness: 55.6, brightness: 120 },
    });
    const asked = vision.asked.at(-1);
    assert.deepEqual(asked, {
      quality: true,
      minFaceSize: 30,
      maxFaces: 2,
      minProbability: 0.5,
      embed: false,
    });
    const [aged, unaged] = (await ask('?ageGender=true')) as Record<string, unknown>[];
    assert.deepEqual([aged.age, aged.gender], [31.3, { value: 'female', probability: 0.9 }]);
    assert.deepEqual([unaged.age, unaged.gender], [null, null]);
  });
});

describe('POST /api/v1/recognise', () => {
  async function enrolled(t: Parameters<typeof testApp>[0]) {
    const made = await testApp(t);
    await made.gallery.createGroup({ groupid: 'staff', groupname: '職員' });
    await made.gallery.enrol({ groupid: 'staff', userid: 'ada', username: 'Ada' }, unitVector(0));
    await made.gallery.enrol({ groupid: 'staff', userid: 'ada' }, unitVector(0.1));
    await made.gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0.2));
    await made.gallery.enrol({ groupid: 'default', userid: 'far' }, unitVector(2));
    made.vision.faces = [face()];
    const ask = async (query: string) => {
      const url = `/api/v1/recognise${query}`;
      const answer = await made.app.inject({ method: 'POST', url, payload: { image: TINY_PICTURE } });
      return { status: answer.statusCode, body: answer.json<Answer>() };
    };
    const names = async (query: string) =>
      (await ask(query)).body.faces[0].matches.map(({ faceid }) => faceid);
    return { ...made, ask, names };
  }

  it('names the nearest person, the distance and the picture', async (t) => {
    const { ask, gallery } = await enrolled(t);
    const { body } = await ask('');
    const [match] = body.faces[0].matches;
    assert.ok(match.distance < 1e-6);
    assert.deepEqual(match, {
      faceid: 'staff-ada',
      groupid: 'staff',
      userid: 'ada',
      username: 'Ada',
      groupname: '職員',
      distance: match.distance,
      // This pack has no curve: test/http/odds.test.ts has one that has.
      odds: null,
      oddsAtMost: false,
      face: (await gallery.person('staff-ada'))?.faces[0].id,
      thumbnail: null,
    });
    assert.deepEqual(Object.keys(body.times as object), ['queue', 'decode', 'detect', 'embed', 'search']);
  });

  it('answers up to k distinct people below the threshold, in the groups named', async (t) => {
    const { names, ask } = await enrolled(t);
    assert.deepEqual(await names('?k=3'), ['staff-ada', 'default-ken']);
    assert.deepEqual(await names('?k=3&threshold=4'), ['staff-ada', 'default-ken', 'default-far']);
    assert.deepEqual(await names('?k=2&threshold=4&groups=default'), ['default-ken', 'default-far']);
    assert.deepEqual(await names('?groups=default,staff'), ['staff-ada']);
    assert.deepEqual(await names('?threshold=0'), []);
    for (const [query, status, code] of [
      ['?groups=nobody', 404, 'GROUP_UNKNOWN'],
      ['?groups=', 400, 'GROUPID_INVALID'],
      ['?k=0', 400, 'FIELD_INVALID'],
      ['?k=101', 400, 'FIELD_INVALID'],
      ['?threshold=4.1', 400, 'FIELD_INVALID'],
      ['?treshold=1', 400, 'FIELD_INVALID'],
      ['?__proto__=1', 400, 'FIELD_INVALID'],
      ['?constructor=1', 400, 'FIELD_INVALID'],
    ] as const) {
      const { status: answered, body } = await ask(query);
      assert.deepEqual([answered, body.code], [status, code], query);
    }
  });
});

describe('POST /api/v1/embed and /verify', () => {
  it('embeds what the pack embeds, and compares it', async (t) => {
    const { app, vision, gallery } = await testApp(t);
    await gallery.enrol({ groupid: 'default', userid: 'ken', username: 'Ken' }, unitVector(1));
    await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0.3));
    vision.faces = [face(100, 0)];
    const image = TINY_PICTURE;
    const answer = await app.inject({ method: 'POST', url: '/api/v1/embed', payload: { image } });
    const { faces, pack } = answer.json<{ pack: string; faces: { embedding: number[] }[] }>();
    assert.deepEqual([pack, faces[0].embedding], [PACK.id, [1, 0, 0, 0]]);

    const verify = async (payload: object, query = '') => {
      const url = `/api/v1/verify${query}`;
      const answer = await app.inject({ method: 'POST', url, payload });
      return { statusCode: answer.statusCode, ...answer.json<Verified>() };
    };
    const far = { vector: [0, 2, 0, 0], pack };
    const near = { vector: faces[0].embedding, pack };
    const pairs: [probe: object, against: object, same: boolean, distance: number][] = [
      [{ image }, { image }, true, 0],
      [{ image }, far, false, 2],
      [near, { image }, true, 0],
      [near, far, false, 2],
      [{ image }, { faceid: 'default-ken' }, true, 0.3],
      [near, { faceid: 'default-ken' }, true, 0.3],
    ];
    for (const [probe, against, same, distance] of pairs) {
      const result = await verify({ probe, against });
      assert.equal(result.statusCode, 200, JSON.stringify(result));
      assert.equal(result.same, same);
      assert.ok(Math.abs(Number(result.distance) - distance) < 1e-5, String(result.distance));
      assert.equal(result.person !== null, 'faceid' in against);
      assert.equal(result.probe !== null, 'image' in probe);
    }
    assert.equal((await verify({ probe: near, against: far }, '?threshold=2.5')).same, true);

    for (const [body, status, code] of [
      [{ probe: { ...near, pack: 'facenet' }, against: far }, 409, 'OTHER_PACK'],
      [{ probe: { vector: [1, 2], pack }, against: far }, 400, 'FIELD_INVALID'],
      [{ probe: { vector: [0, 0, 0, 0], pack }, against: far }, 400, 'FIELD_INVALID'],
      [{ probe: { faceid: 'default-ken' }, against: far }, 400, 'FIELD_MISSING'],
      [{ probe: { image }, against: { faceid: 'default-none' } }, 404, 'PERSON_UNKNOWN'],
      [{ probe: { image } }, 400, 'FIELD_MISSING'],
      [{ probe: { image: 'no base64!' }, against: far }, 400, 'IMAGE_UNREADABLE'],
    ] as const) {
      const result = await verify(body);
      assert.deepEqual([result.statusCode, result.code], [status, code], JSON.stringify(result));
    }
    vision.faces = [];
    assert.equal((await verify({ probe: { image }, against: near })).code, 'NO_FACE');
    for (const [body, side, says] of [
      [{ probe: { image }, against: near }, 'probe', /^The probe: No face was found/],
      [{ probe: near, against: { image } }, 'against', /^What it is compared with: No face was found/],
      [{ probe: { image }, against: { image } }, 'both', /^Both sides: No face was found/],
      [{ probe: near, against: { vector: [1], pack } }, 'against', /^What it is compared with: .*"vector"/],
    ] as const) {
      const { details, message } = await verify(body);
      assert.equal(details?.side, side);
      assert.match(message ?? '', says);
    }
    vision.faces = [face(), face()];
    const large = (await greyJpeg(320, 240)).toString('base64');
    assert.equal((await verify({ probe: { image: large }, against: near })).code, 'SEVERAL_FACES');
  });

  it('takes a form: two pictures, or one and a faceid', async (t) => {
    const { app, vision, gallery } = await testApp(t);
    await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0));
    vision.faces = [face()];
    const jpeg = await greyJpeg();
    const ask = async (...parts: [string, string | Uint8Array][]) => {
      const answer = await app.inject({ method: 'POST', url: '/api/v1/verify', ...(await form(...parts)) });
      return answer.json<{ same?: boolean; code?: string }>();
    };
    assert.equal((await ask(['image', jpeg], ['image', jpeg])).same, true);
    assert.equal((await ask(['faceid', 'default-ken'], ['image', jpeg])).same, true);
    assert.equal((await ask(['image', jpeg])).code, 'FIELD_MISSING');
    assert.equal(
      (await ask(['image', jpeg], ['image', jpeg], ['faceid', 'default-ken'])).code,
      'FIELD_MISSING',
    );
  });
});
