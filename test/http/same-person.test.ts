import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { face, testApp, unitVector } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';

interface Refusal {
  code: string;
  message: string;
  details?: Record<string, unknown>;
}
interface Body extends Refusal {
  results: { status: string; error?: Refusal }[];
  mid?: string;
}

/** Faces at these squared distances from one another; the limit of the pack is 0.5. */
const ADA = [0, 0.02, 0.05];
const SOMEBODY = 2;

/** An app whose vision sees what the caller says of each picture. */
async function stand(t: TestContext) {
  const test = await testApp(t, { DOUBLE_REGISTRATION_SECONDS: 0 });
  const { app, vision, gallery } = test;
  const seen = new Map<number, number>();
  const analyze = vision.analyze.bind(vision);
  vision.analyze = async (bytes, options) => {
    const answer = await analyze(bytes, options);
    return { ...answer, faces: [face(100, seen.get(answer.width))] };
  };
  /** A picture of a face at this distance. */
  const picture = async (distance: number): Promise<Uint8Array> => {
    const width = 64 + seen.size;
    seen.set(width, distance);
    return greyJpeg(width, 64);
  };
  const post = async (url: string, ...parts: Parameters<typeof form>) => {
    const answer = await app.inject({ method: 'POST', url, ...(await form(...parts)) });
    return { status: answer.statusCode, body: answer.json<Body>() };
  };
  const enrol = async (distances: number[], query = '') => {
    const parts: Parameters<typeof form> = [];
    for (const distance of distances) parts.push(['image', await picture(distance)]);
    return post(`/api/v1/people/default-ada/faces?create=true${query}`, ...parts);
  };
  const faces = async () => (await gallery.person('default-ada'))?.faces ?? [];
  return { ...test, picture, post, enrol, faces };
}

describe('Pictures that are enrolled for one person', () => {
  it('refuse the one of somebody else and say how far it is, also when it comes first', async (t) => {
    const { enrol, faces } = await stand(t);
    const { status, body } = await enrol([SOMEBODY, ADA[0], ADA[1]]);
    assert.equal(status, 201);
    const [first, ...others] = body.results;
    assert.deepEqual(
      others.map(({ status }) => status),
      ['enrolled', 'enrolled'],
    );
    assert.equal(first.error?.code, 'NOT_THE_SAME_PERSON');
    const { distance, ...details } = first.error.details ?? {};
    assert.deepEqual(details, { faceid: 'default-ada', picture: 0, threshold: 0.5 });
    assert.ok(typeof distance === 'number' && distance > 1.5 && distance < 2.1, String(distance));
    assert.equal((await faces()).length, 2);
  });

  it('are all refused where two disagree, and nothing is left behind, until it is meant', async (t) => {
    const { enrol, gallery } = await stand(t);
    const { status, body } = await enrol([SOMEBODY, ADA[0]]);
    assert.deepEqual([status, body.code], [422, 'NOT_THE_SAME_PERSON']);
    assert.deepEqual(
      body.results.map(({ error }) => [error?.details?.picture, error?.details?.undecided]),
      [
        [0, true],
        [1, true],
      ],
    );
    assert.equal(await gallery.person('default-ada'), undefined);
    const forced = await enrol([SOMEBODY, ADA[0]], '&force=true');
    assert.equal(forced.status, 201);
    assert.equal(gallery.info().faces, 2);
  });

  it('are compared with those that the person has, and the refusal names the nearest', async (t) => {
    const { enrol, faces } = await stand(t);
    await enrol([ADA[0]]);
    const [own] = await faces();
    const { status, body } = await enrol([SOMEBODY]);
    assert.deepEqual([status, body.code], [422, 'NOT_THE_SAME_PERSON']);
    const { face: nearest, faceid, threshold, picture } = body.details ?? {};
    assert.deepEqual([nearest, faceid, threshold, picture], [own.id, 'default-ada', 0.5, 0]);
    assert.equal((await enrol([ADA[1]])).status, 201);
    assert.equal((await faces()).length, 2);
    // Two that agree are still not the person who is enrolled.
    const pair = await enrol([SOMEBODY, SOMEBODY + 0.01]);
    assert.deepEqual([pair.status, pair.body.code], [422, 'NOT_THE_SAME_PERSON']);
    assert.match(pair.body.message, /delete/, 'the enrolled one may be the wrong one');
  });

  it('say first whose a face is, where somebody else is enrolled with it, who has no say in who is meant', async (t) => {
    const { enrol, gallery, faces } = await stand(t);
    await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(SOMEBODY));
    const { status, body } = await enrol([SOMEBODY, SOMEBODY + 0.01, ADA[0]]);
    assert.equal(status, 201);
    assert.deepEqual(
      body.results.map(({ status, error }) => error?.code ?? status),
      ['OTHER_PERSON', 'OTHER_PERSON', 'enrolled'],
    );
    assert.equal((await faces()).length, 1);
  });

  it('are not both taken when they come at once in two requests', async (t) => {
    const { enrol, faces } = await stand(t);
    const both = await Promise.all([enrol([SOMEBODY]), enrol([ADA[0]])]);
    assert.deepEqual(both.map(({ status }) => status).sort(), [201, 422]);
    assert.equal((await faces()).length, 1);
  });

  it('are not hindered by one that cannot be used', async (t) => {
    const { picture, post } = await stand(t);
    const { status, body } = await post(
      '/api/v1/people/default-ada/faces?create=true',
      ['image', Buffer.from('no picture')],
      ['image', await picture(ADA[0])],
      ['image', await picture(SOMEBODY)],
      ['image', await picture(ADA[1])],
    );
    assert.equal(status, 201);
    assert.deepEqual(
      body.results.map(({ status, error }) => error?.code ?? status),
      ['IMAGE_FORMAT_UNKNOWN', 'enrolled', 'NOT_THE_SAME_PERSON', 'enrolled'],
    );
    assert.equal(body.results[2].error?.details?.picture, 2, 'counted with the one that cannot be read');
  });

  it('are refused by each surface in its own words, and taken when it is meant', async (t) => {
    const { enrol, picture, post, gallery } = await stand(t);
    await enrol([ADA[0]]);
    const register = async (...more: [string, string][]) =>
      post(
        '/api/face_register',
        ...[['groupid', 'default'], ['userid', 'ada'], ...more] as [string, string][],
        ['image', await picture(SOMEBODY)],
      );
    const maiface = await register();
    assert.deepEqual([maiface.status, maiface.body.mid], [422, 'E1004']);
    assert.equal((await register(['force', 'true'])).status, 200);
    const add = async (query: string) =>
      post(`/api/v1/recognition/faces?subject=ada${query}`, ['file', await picture(3.8)]);
    const compreFace = await add('');
    assert.deepEqual([compreFace.status, compreFace.body.code], [422, 0]);
    assert.equal((await add('&force=true')).status, 201);
    assert.equal(gallery.info().faces, 3);
  });
});
