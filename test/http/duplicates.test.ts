import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { face, type TestApp, testApp } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { until } from '../support/until.js';
import { everybody } from '../support/galleries.js';

/** A way in: enrols a picture of Ken. */
interface Way {
  enrol(
    test: TestApp,
    picture: Uint8Array,
    name?: string,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  /** What an answer calls the face: undefined where the surface gives faces no names. */
  faceOf(body: Record<string, unknown>): unknown;
  /** Status of a picture that is new, and what an answer to one that is not says. */
  added: number;
  saysSo(body: Record<string, unknown>): boolean;
}

interface Results {
  results: { status: string; face: { id: string } }[];
}

const WAYS: Record<string, Way> = {
  v1: {
    async enrol({ app }, picture, name) {
      const parts = await form(...(name ? [['username', name] as [string, string]] : []), ['image', picture]);
      const url = '/api/v1/people/default-ken/faces?create=true';
      const answer = await app.inject({ method: 'POST', url, ...parts });
      return { status: answer.statusCode, body: answer.json() };
    },
    faceOf: (body) => (body as unknown as Results).results[0].face.id,
    added: 201,
    saysSo: (body) => (body as unknown as Results).results[0].status === 'already',
  },
  maiface: {
    async enrol({ app }, picture, name) {
      const parts = await form(
        ['userid', 'ken'],
        ['groupid', 'default'],
        ...(name ? [['username', name] as [string, string]] : []),
        ['image', picture],
      );
      const answer = await app.inject({ method: 'POST', url: '/api/face_register', ...parts });
      return { status: answer.statusCode, body: answer.json() };
    },
    faceOf: () => undefined,
    added: 200,
    saysSo: ({ result, mid, already }) => result === 'SUCCESS' && mid === 'S1001' && already === true,
  },
  CompreFace: {
    async enrol({ app }, picture) {
      const parts = await form(['file', picture]);
      const url = '/api/v1/recognition/faces?subject=ken';
      const answer = await app.inject({ method: 'POST', url, ...parts });
      return { status: answer.statusCode, body: answer.json() };
    },
    faceOf: ({ image_id }) => image_id,
    added: 201,
    saysSo: ({ subject }) => subject === 'ken',
  },
};

const start = (t: TestContext, settings: Parameters<typeof testApp>[1] = {}) =>
  testApp(t, { DOUBLE_REGISTRATION_SECONDS: 0, ...settings });

for (const [name, way] of Object.entries(WAYS)) {
  describe(`A picture that a person has already, sent again by ${name}`, () => {
    it('is answered as there already, and adds nothing: by its bytes, without being looked at', async (t) => {
      const test = await start(t);
      const { vision, gallery } = test;
      const picture = await greyJpeg();
      vision.faces = [face(100, 0)];
      const first = await way.enrol(test, picture);
      assert.deepEqual(
        [first.status, way.faceOf(first.body) === ''],
        [way.added, false],
        JSON.stringify(first.body),
      );
      assert.equal(first.body.already, undefined);
      // As by another version of the pack, or through its views: the embedding is another one.
      vision.faces = [face(100, 0.1)];
      const again = await way.enrol(test, picture);
      assert.equal(again.status, 200, JSON.stringify(again.body));
      assert.ok(way.saysSo(again.body), JSON.stringify(again.body));
      assert.equal(way.faceOf(again.body), way.faceOf(first.body));
      assert.equal(vision.asked.length, 1);
      assert.equal(gallery.info().faces, 1);
      // And still when the person is called otherwise.
      if (name === 'v1') {
        await gallery.movePerson('default-ken', { groupid: 'default', userid: 'other' });
        await gallery.movePerson('default-other', { groupid: 'default', userid: 'ken' });
        assert.ok(way.saysSo((await way.enrol(test, picture)).body));
      }
    });

    it('is answered as there already, and adds nothing: by its embedding', async (t) => {
      const test = await start(t);
      const { vision, gallery } = test;
      vision.faces = [face(100, 0)];
      const first = await way.enrol(test, await greyJpeg());
      // Saved anew by a program: other bytes.
      const again = await way.enrol(test, await greyJpeg(65));
      assert.equal(again.status, 200, JSON.stringify(again.body));
      assert.ok(way.saysSo(again.body), JSON.stringify(again.body));
      assert.equal(way.faceOf(again.body), way.faceOf(first.body));
      assert.equal(gallery.info().faces, 1);
      vision.faces = [face(100, 0.001)];
      assert.equal((await way.enrol(test, await greyJpeg(66))).status, way.added);
      assert.equal(gallery.info().faces, 2);
    });

    it('is not taken twice when it is sent twice at once', async (t) => {
      const test = await start(t);
      test.vision.faces = [face(100, 0)];
      const picture = await greyJpeg();
      const answers = await Promise.all([1, 2, 3, 4].map(() => way.enrol(test, picture)));
      assert.equal(test.gallery.info().faces, 1);
      assert.equal(
        answers.filter(({ status, body }) => status === way.added && body.already !== true).length,
        1,
      );
    });

    it('is enrolled again once the face has been deleted', async (t) => {
      const test = await start(t);
      test.vision.faces = [face(100, 0)];
      const picture = await greyJpeg();
      await way.enrol(test, picture);
      const [person] = await everybody(test.gallery);
      await test.gallery.removeFace(person.faceid, person.faces[0].id);
      const { status, body } = await way.enrol(test, picture);
      assert.deepEqual([status, body.already, test.gallery.info().faces], [way.added, undefined, 1]);
    });
  });
}

describe('A picture that is there already', () => {
  it('still gives the person the name that comes with it', async (t) => {
    for (const name of ['v1', 'maiface']) {
      const test = await start(t);
      test.vision.faces = [face(100, 0)];
      const picture = await greyJpeg();
      await WAYS[name].enrol(test, picture, 'Ken');
      await WAYS[name].enrol(test, picture, 'Ken T.');
      assert.equal((await test.gallery.person('default-ken'))?.username, 'Ken T.');
      await WAYS[name].enrol(test, await greyJpeg(65), '健');
      assert.equal((await test.gallery.person('default-ken'))?.username, '健');
      assert.equal(test.gallery.info().faces, 1);
    }
  });

  it('under another person is refused as ever', async (t) => {
    const test = await start(t);
    test.vision.faces = [face(100, 0)];
    const picture = await greyJpeg();
    await WAYS.v1.enrol(test, picture);
    const parts = await form(['image', picture]);
    const url = '/api/v1/people/default-mia/faces?create=true';
    const refused = await test.app.inject({ method: 'POST', url, ...parts });
    assert.deepEqual([refused.statusCode, refused.json<{ code: string }>().code], [409, 'OTHER_PERSON']);
    const forced = await test.app.inject({ method: 'POST', url: `${url}&force=true`, ...parts });
    assert.equal(forced.statusCode, 201, 'and what is forced is a face of its own');
    const ids = (await everybody(test.gallery)).flatMap(({ faces }) =>
      faces.map(({ id }) => id.split('_m')[1]),
    );
    assert.equal(new Set(ids.map((id) => id.slice(10))).size, 2, 'names do not tell that it is one picture');
  });

  it('in one request with itself is enrolled once, and with a new one the request has enrolled', async (t) => {
    const test = await start(t);
    const analyze = test.vision.analyze.bind(test.vision);
    test.vision.analyze = async (bytes, options) => {
      const { width } = await analyze(bytes.slice(), options);
      test.vision.faces = [face(100, width === 64 ? 0 : 0.1)];
      return await analyze(bytes, options);
    };
    const [one, two] = [await greyJpeg(64), await greyJpeg(65)];
    const parts = await form(['image', one], ['image', one], ['image', two]);
    const url = '/api/v1/people/default-ken/faces?create=true';
    const answer = await test.app.inject({ method: 'POST', url, ...parts });
    const statuses = answer.json<Results>().results.map(({ status }) => status);
    assert.deepEqual([answer.statusCode, statuses], [201, ['enrolled', 'already', 'enrolled']]);
  });

  it('is nothing new to automatic enrolment', async (t) => {
    const test = await start(t, { AUTO_ENROL: true, SAVE_DISTANCE: 0.2, SAVE_MINIMUM: 5, SAVE_INTERVAL: 0 });
    test.vision.faces = [face(100, 0)];
    await WAYS.v1.enrol(test, await greyJpeg());
    const recognise = async () => {
      const parts = await form(['image', await greyJpeg()], ['deviceid', '']);
      assert.equal(
        (await test.app.inject({ method: 'POST', url: '/api/face_recognizer', ...parts })).statusCode,
        200,
      );
    };
    for (let i = 0; i < 3; i++) await recognise();
    test.vision.faces = [face(100, 0.05)];
    await until(async () => {
      await recognise();
      return test.gallery.info().faces === 2;
    });
    for (let i = 0; i < 3; i++) await recognise();
    await test.app.close();
    await test.gallery.close();
    assert.equal(test.gallery.info().faces, 2);
  });
});
