import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KaomonError } from '../../../src/platform/errors.js';
import { MAX_SUBJECT, SubjectNames } from '../../../src/http/compreface/subject-names.js';
import { unitVector } from '../../support/app.js';
import { compreFaceApp, scene, type Scene } from '../../support/compreface.js';
import { form } from '../../support/form.js';
import { everybody } from '../../support/galleries.js';

type Made = Awaited<ReturnType<typeof compreFaceApp>>;
const SUBJECTS = '/api/v1/recognition/subjects';
const FACES = '/api/v1/recognition/faces';
const RECOGNISE = '/api/v1/recognition/recognize';

async function post({ app }: Made, url: string, name: Scene, variant = 0) {
  return await app.inject({ method: 'POST', url, ...(await form(['file', await scene(name, variant)])) });
}

async function add(made: Made, subject: string, name: Scene = 'ann', variant = 0): Promise<string> {
  // Some tests give several subjects one face.
  const url = `${FACES}?subject=${encodeURIComponent(subject)}&force=true`;
  const answer = await post(made, url, name, variant);
  assert.equal(answer.statusCode, 201, answer.body);
  return answer.json<{ image_id: string }>().image_id;
}

async function subjects({ app }: Made): Promise<string[]> {
  return (await app.inject(SUBJECTS)).json<{ subjects: string[] }>().subjects;
}

const rename = ({ app }: Made, from: string, to: string) =>
  app.inject({ method: 'PUT', url: `${SUBJECTS}/${encodeURIComponent(from)}`, payload: { subject: to } });

describe('Subjects of the CompreFace surface', () => {
  it('round-trip exactly, whatever text they are, and never share a person', async (t) => {
    const made = await compreFaceApp(t);
    const names = [
      'bob',
      'Ann Lee',
      'ann-lee',
      'Ann_Lee',
      '山田 太郎',
      'a/b?c&d=e#f%20',
      ' leading and trailing ',
      '...',
      '.hidden',
      'Ünïcödé',
      'Unicode',
      '😀',
      'x'.repeat(MAX_SUBJECT),
      '漢'.repeat(MAX_SUBJECT),
      'default-bob',
    ];
    for (const name of names) {
      const answer = await made.app.inject({ method: 'POST', url: SUBJECTS, payload: { subject: name } });
      assert.deepEqual([answer.statusCode, answer.json()], [201, { subject: name }]);
    }
    assert.deepEqual(new Set(await subjects(made)), new Set(names));
    assert.equal(new Set((await everybody(made.gallery)).map(({ faceid }) => faceid)).size, names.length);
    for (const name of names) {
      const url = `${SUBJECTS}/${encodeURIComponent(name)}`;
      const answer = await made.app.inject({ method: 'DELETE', url });
      assert.deepEqual([answer.statusCode, answer.json()], [200, { subject: name }]);
    }
    assert.deepEqual(await subjects(made), []);
  });

  it('are refused at creation where no address or page could show them as they are', async (t) => {
    const made = await compreFaceApp(t);
    await add(made, 'ann');
    const names = ['.', '..', 'a\u0000b', 'a\nb', 'a\u202eb', 'a\u2066b', 'a\ud800', 'a\u2028b'];
    for (const name of names) {
      const payload = { subject: name };
      const created = await made.app.inject({ method: 'POST', url: SUBJECTS, payload });
      assert.deepEqual([created.statusCode, created.json<{ code: number }>().code], [400, 26], created.body);
      const url = `${SUBJECTS}/ann`;
      assert.equal((await made.app.inject({ method: 'PUT', url, payload })).statusCode, 400, created.body);
    }
    for (const name of ['%2E%2E', 'a%0Ab', 'a%E2%80%AEb', 'a%ED%A0%80']) {
      assert.equal((await post(made, `${FACES}?subject=${name}`, 'ann')).statusCode, 400, name);
    }
    assert.deepEqual(await subjects(made), ['ann']);
  });

  it('are the same however their accents were typed, also those that were kept in another form', async (t) => {
    const made = await compreFaceApp(t);
    const [composed, apart] = ['Björn', 'Bjo\u0308rn'];
    const payload = { subject: apart };
    const answer = await made.app.inject({ method: 'POST', url: SUBJECTS, payload });
    assert.deepEqual(answer.json(), { subject: composed });
    await add(made, composed);
    await add(made, apart, 'ann2');
    assert.deepEqual(await subjects(made), [composed]);
    // As an older version kept it.
    const old = { ...(await everybody(made.gallery))[0], username: 'Rene\u0301' };
    const gallery: ConstructorParameters<typeof SubjectNames>[0] = {
      async *everyone() {
        yield await Promise.resolve(old);
      },
      person: (faceid) => Promise.resolve(faceid === old.faceid ? old : undefined),
      catchUp: () => Promise.resolve(),
    };
    assert.equal(await new SubjectNames(gallery, 'default').find('René'), old);
    const url = `${SUBJECTS}/${encodeURIComponent(apart)}`;
    const deleted = await made.app.inject({ method: 'DELETE', url });
    assert.deepEqual(deleted.json(), { subject: composed });
  });

  it('are the same whatever their case, as in CompreFace', async (t) => {
    const made = await compreFaceApp(t);
    await add(made, 'Ann');
    await add(made, 'ANN', 'ann2');
    assert.deepEqual(await subjects(made), ['Ann']);
    assert.equal((await everybody(made.gallery))[0].faces.length, 2);
    assert.deepEqual((await rename(made, 'ann', 'anN')).json(), { updated: true });
    assert.deepEqual(await subjects(made), ['anN']);
  });

  it('keep their image_ids when they are renamed, and when they are merged into another', async (t) => {
    const made = await compreFaceApp(t);
    const first = await add(made, 'Ann');
    assert.deepEqual((await rename(made, 'Ann', 'Anna')).json(), { updated: true });
    assert.deepEqual((await rename(made, 'Anna', 'Anna')).json(), { updated: false });
    const second = await add(made, 'Ann', 'ann2');
    assert.deepEqual((await subjects(made)).sort(), ['Ann', 'Anna']);
    assert.deepEqual((await rename(made, 'Ann', 'Anna')).json(), { updated: true });
    const { faces } = (await made.app.inject(FACES)).json<{
      faces: { image_id: string; subject: string }[];
    }>();
    assert.deepEqual(faces.map(({ image_id }) => image_id).sort(), [first, second].sort());
    assert.deepEqual(new Set(faces.map(({ subject }) => subject)), new Set(['Anna']));
  });

  it('tell apart people whom another surface gave one name', async (t) => {
    const made = await compreFaceApp(t);
    await made.gallery.enrol({ groupid: 'default', userid: '1', username: 'Ann' }, unitVector(0));
    await made.gallery.enrol({ groupid: 'default', userid: '2', username: 'ann' }, unitVector(1));
    assert.deepEqual(await subjects(made), ['Ann', 'ann (2)']);
    assert.equal((await made.app.inject({ method: 'DELETE', url: `${SUBJECTS}/ann (2)` })).statusCode, 200);
    assert.deepEqual(
      (await everybody(made.gallery)).map(({ userid }) => userid),
      ['1'],
    );
  });

  it('are made once when several requests name a new one at the same time', async (t) => {
    const made = await compreFaceApp(t);
    await Promise.all(Array.from({ length: 8 }, (_, i) => add(made, 'Ann Lee', 'ann', i)));
    assert.equal((await everybody(made.gallery)).length, 1);
    assert.equal(
      (await everybody(made.gallery))[0].faces.length,
      8,
      'no limit on repeated registrations applies here',
    );
  });

  it('lie in the group of the settings, which is made when it is not there', async (t) => {
    const made = await compreFaceApp(t, { COMPREFACE_GROUP: 'frs' });
    await made.gallery.enrol({ groupid: 'default', userid: '1' }, unitVector(0));
    assert.deepEqual(await subjects(made), []);
    await add(made, 'bob');
    assert.ok(await made.gallery.person('frs-bob'));
    const other = (await post(made, `${RECOGNISE}?prediction_count=5`, 'ann')).json<{
      result: { subjects: object[] }[];
    }>();
    assert.equal(other.result[0].subjects.length, 1, 'people of other groups are not told');
    assert.deepEqual((await made.app.inject({ method: 'DELETE', url: SUBJECTS })).json(), { deleted: 1 });
    assert.ok(await made.gallery.person('default-1'), 'nobody of another group is deleted');
  });
});

describe('Examples of the CompreFace surface', () => {
  it('are listed by pages and by subject', async (t) => {
    const made = await compreFaceApp(t);
    for (const [i, subject] of ['a', 'a', 'b', 'b', 'b'].entries()) await add(made, subject, 'ann', i);
    interface Page {
      faces: { subject: string }[];
      page_number: number;
      page_size: number;
      total_pages: number;
      total_elements: number;
    }
    const page = async (query: string) => (await made.app.inject(`${FACES}?${query}`)).json<Page>();
    const second = await page('page=1&size=2');
    assert.deepEqual(
      second.faces.map(({ subject }) => subject),
      ['b', 'b'],
    );
    const { page_number, page_size, total_pages, total_elements } = second;
    assert.deepEqual([page_number, page_size, total_pages, total_elements], [1, 2, 3, 5]);
    assert.equal((await page('subject=a')).total_elements, 2);
    assert.equal((await page('subject=')).total_elements, 5);
    assert.equal((await page('subject=nobody')).total_elements, 0);
    assert.equal((await page('page=9')).faces.length, 0);
  });

  it('give back the picture when it was kept, and say so when it was not', async (t) => {
    const made = await compreFaceApp(t, { KEEP_FACES: true });
    const id = await add(made, 'Ann');
    const missing = await made.app.inject(`${FACES}/${id}/img`);
    assert.deepEqual([missing.statusCode, missing.json<{ code: number }>().code], [404, 11]);
    const png = Buffer.from('89504e470d0a1a0a', 'hex');
    const kept = await made.gallery.enrol({ groupid: 'default', userid: 'bob', crop: png }, unitVector(1));
    const { faces } = (await made.app.inject(`${FACES}?subject=bob`)).json<{
      faces: { image_id: string }[];
    }>();
    const answer = await made.app.inject(`${FACES}/${faces[0].image_id}/img`);
    assert.equal(answer.headers['content-type'], 'image/png');
    assert.deepEqual(answer.rawPayload, png);
    assert.equal(kept.hasPicture, true);
  });

  it('are deleted by subject, and all at once', async (t) => {
    const made = await compreFaceApp(t);
    for (const [i, subject] of ['a', 'a', 'b'].entries()) await add(made, subject, 'ann', i);
    const remove = async (query: string) =>
      (await made.app.inject({ method: 'DELETE', url: `${FACES}${query}` })).json<unknown>();
    assert.deepEqual(await remove('?subject=nobody'), { deleted: 0 });
    assert.deepEqual(await remove('?subject=a'), { deleted: 2 });
    assert.deepEqual(await subjects(made), ['b'], 'a subject goes with its last example');
    assert.deepEqual(await remove(''), { deleted: 1 });
    assert.deepEqual(await subjects(made), []);
  });
});

describe('Embeddings on the CompreFace surface', () => {
  it('are recognised and verified, whatever their length', async (t) => {
    const made = await compreFaceApp(t);
    const id = await add(made, 'Ann');
    await add(made, 'Bob', 'bob');
    const call = async (url: string, payload: object) =>
      (await made.app.inject({ method: 'POST', url, payload })).json<{ result: unknown }>().result;
    const doubled = [2, 0, 0, 0];
    assert.deepEqual(
      await call('/api/v1/recognition/embeddings/recognize?prediction_count=2', { embeddings: [doubled] }),
      [
        {
          embedding: doubled,
          similarities: [
            { subject: 'Ann', similarity: 1 },
            { subject: 'Bob', similarity: 0.00011 },
          ],
        },
      ],
    );
    const same = [{ embedding: doubled, similarity: 1 }];
    assert.deepEqual(
      await call(`/api/v1/recognition/embeddings/faces/${id}/verify`, { embeddings: [doubled] }),
      same,
    );
    assert.deepEqual(
      await call('/api/v1/verification/embeddings/verify', { source: [1, 0, 0, 0], targets: [doubled] }),
      same,
    );
  });
});

describe('Refusals of the CompreFace surface', () => {
  const cases: [
    what: string,
    call: (made: Made) => Promise<{ statusCode: number }>,
    status: number,
    code: number,
  ][] = [
    ['no face', (made) => post(made, RECOGNISE, 'nobody'), 400, 28],
    ['no face to detect', (made) => post(made, '/api/v1/detection/detect', 'nobody'), 400, 28],
    ['several faces to add', (made) => post(made, `${FACES}?subject=a`, 'both'), 400, 31],
    ['a face too small to add', (made) => post(made, `${FACES}?subject=a`, 'small'), 400, 26],
    ['no subject', (made) => post(made, FACES, 'ann'), 400, 33],
    ['an empty subject', (made) => post(made, `${FACES}?subject=`, 'ann'), 400, 33],
    ['a blank subject', (made) => post(made, `${FACES}?subject=%20`, 'ann'), 400, 26],
    ['a prediction_count of 0', (made) => post(made, `${RECOGNISE}?prediction_count=0`, 'ann'), 400, 12],
    ['a threshold above 1', (made) => post(made, `${RECOGNISE}?det_prob_threshold=1.5`, 'ann'), 400, 26],
    ['a limit that is no number', (made) => post(made, `${RECOGNISE}?limit=x`, 'ann'), 400, 26],
    [
      'no picture',
      async ({ app }) => app.inject({ method: 'POST', url: RECOGNISE, ...(await form(['other', 'x'])) }),
      400,
      34,
    ],
    ['no body', ({ app }) => app.inject({ method: 'POST', url: RECOGNISE }), 400, 34],
    [
      'a file that is no picture',
      async ({ app }) =>
        app.inject({ method: 'POST', url: RECOGNISE, ...(await form(['file', Buffer.from('hello')])) }),
      400,
      21,
    ],
    [
      'text that is no base64',
      ({ app }) => app.inject({ method: 'POST', url: RECOGNISE, payload: { file: 'no base64!' } }),
      400,
      21,
    ],
    [
      'an embedding of another length',
      ({ app }) =>
        app.inject({
          method: 'POST',
          url: '/api/v1/recognition/embeddings/recognize',
          payload: { embeddings: [[1, 2]] },
        }),
      400,
      37,
    ],
    [
      'an embedding without a direction',
      ({ app }) =>
        app.inject({
          method: 'POST',
          url: '/api/v1/verification/embeddings/verify',
          payload: { source: [0, 0, 0, 0], targets: [[1, 0, 0, 0]] },
        }),
      400,
      36,
    ],
    ['an unknown image_id', ({ app }) => app.inject(`${FACES}/x/img`), 404, 44],
    ['an unknown subject', ({ app }) => app.inject({ method: 'DELETE', url: `${SUBJECTS}/x` }), 404, 42],
  ];
  for (const [what, call, status, code] of cases) {
    it(`say what is wrong with ${what}, in CompreFace's shape`, async (t) => {
      const answer = (await call(await compreFaceApp(t))) as Awaited<ReturnType<typeof post>>;
      const body = answer.json<{ message: string; code: number }>();
      assert.deepEqual([answer.statusCode, body.code], [status, code], answer.body);
      assert.deepEqual(Object.keys(body).sort(), ['code', 'message']);
      assert.ok(body.message.length > 10);
    });
  }

  it('answer what stands at no address below CompreFace’s as CompreFace does, and log no name of it', async (t) => {
    const { app, log } = await compreFaceApp(t);
    const asked = [
      ['GET', '/api/v1/recognition/subject/Secretname', 404],
      ['POST', '/api/v1/recognition/Secretname', 404],
      ['PATCH', `${SUBJECTS}/Secretname`, 405],
      ['GET', '/api/v1/detection/Secretname', 404],
      ['GET', '/api/v1/verification/Secretname', 404],
      ['DELETE', `${SUBJECTS}/${'x'.repeat(3000)}`, 404],
      ['GET', '/api/v1/recognition/%', 400],
    ] as const;
    for (const [method, url, status] of asked) {
      const answer = await app.inject({ method, url, ...(method === 'POST' && { payload: { a: 1 } }) });
      const what = `${method} ${url.slice(0, 60)}: ${answer.body}`;
      assert.equal(answer.statusCode, status, what);
      assert.deepEqual(Object.keys(answer.json<object>()).sort(), ['code', 'message'], what);
    }
    assert.doesNotMatch(JSON.stringify(log), /Secretname/);
    const elsewhere = (await app.inject('/api/v1/recognitions')).json<{ code: string }>();
    assert.equal(elsewhere.code, 'NOT_FOUND', 'another surface’s form');
  });

  it('say "busy" with Retry-After, not "no face"', async (t) => {
    const made = await compreFaceApp(t);
    made.vision.analyze = () => Promise.reject(new KaomonError('BUSY', 'Too many.', { retryAfter: 2 }));
    const answer = await post(made, RECOGNISE, 'ann');
    assert.deepEqual([answer.statusCode, answer.json<{ code: number }>().code], [503, 41]);
    assert.equal(answer.headers['retry-after'], '2');
  });

  it('take a query as CompreFace does', async (t) => {
    const made = await compreFaceApp(t);
    const answer = await post(made, `${RECOGNISE}?&status=True&limit=&face_plugins=mask,calculator`, 'ann');
    assert.equal(answer.statusCode, 200);
    const { result, plugins_versions } = answer.json<{
      result: Record<string, unknown>[];
      plugins_versions: object;
    }>();
    assert.ok(plugins_versions);
    assert.deepEqual(Object.keys(result[0]).sort(), ['box', 'embedding', 'execution_time', 'subjects']);
    assert.deepEqual(result[0].subjects, []);
  });

  it('take base64 with a data: prefix', async (t) => {
    const { app } = await compreFaceApp(t);
    const file = `data:image/jpeg;base64,${(await scene('ann')).toString('base64')}`;
    assert.equal((await app.inject({ method: 'POST', url: RECOGNISE, payload: { file } })).statusCode, 200);
  });

  it('take base64 with line breaks, tabs and the alphabet for addresses, and refuse spaces alone', async (t) => {
    const { app } = await compreFaceApp(t);
    const coded = (await scene('ann')).toString('base64url').replace(/.{76}/g, '$&\r\n\t');
    const status = async (file: string) =>
      (await app.inject({ method: 'POST', url: RECOGNISE, payload: { file } })).statusCode;
    assert.equal(await status(`DATA:image/jpeg;base64,${coded}`), 200);
    // 200 kB of them held everybody up for 39 s.
    assert.equal(await status(' '.repeat(4_000_000)), 400);
  });
});
