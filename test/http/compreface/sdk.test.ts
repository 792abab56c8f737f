import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CompreFace } from '@exadel/compreface-js-sdk';
import { type Listening, listeningCompreFace, scene } from '../../support/compreface.js';
import { everybody } from '../../support/galleries.js';

interface Refusal {
  response: { status: number; data: { message: string; code: number } };
}
/** The SDK's own types leave these out. */
interface Subjects {
  list(): Promise<unknown>;
  add(subject: string): Promise<unknown>;
  rename(from: string, to: string): Promise<unknown>;
  delete(subject: string): Promise<unknown>;
  deleteAll(): Promise<unknown>;
}
interface Services {
  recognition: ReturnType<CompreFace['initFaceRecognitionService']> & { getSubjects(): Subjects };
  detection: ReturnType<CompreFace['initFaceDetectionService']>;
  verification: ReturnType<CompreFace['initFaceVerificationService']>;
}
interface Example {
  image_id: string;
  subject: string;
}

/** CompreFace's own JavaScript SDK, as a program that moved here would make it. */
function sdk({ port }: Pick<Listening, 'port'>, options?: { limit: number; status: boolean }): Services {
  const compreFace = new CompreFace('http://127.0.0.1', port, options);
  return {
    recognition: compreFace.initFaceRecognitionService('a-key') as Services['recognition'],
    detection: compreFace.initFaceDetectionService('a-key'),
    verification: compreFace.initFaceVerificationService('a-key'),
  };
}

async function refused(call: Promise<unknown>): Promise<{ status: number; code: number; message: string }> {
  const error = (await call.then(
    () => assert.fail('The call was answered.'),
    (reason: unknown) => reason,
  )) as Refusal;
  return { status: error.response.status, ...error.response.data };
}

describe("CompreFace's JavaScript SDK against this server", () => {
  it('adds, lists, renames and deletes subjects', async (t) => {
    const { recognition } = sdk(await listeningCompreFace(t));
    // A subject's functions carry their last address along: the SDK means them to be asked for anew.
    const subjects = () => recognition.getSubjects();
    assert.deepEqual(await subjects().add('Ann Lee'), { subject: 'Ann Lee' });
    assert.deepEqual(await subjects().add('bob'), { subject: 'bob' });
    assert.deepEqual(await subjects().list(), { subjects: ['Ann Lee', 'bob'] });
    assert.deepEqual(await refused(subjects().add('bob')), {
      status: 400,
      code: 43,
      message: 'There is a subject "bob" already.',
    });
    assert.deepEqual(await subjects().rename('Ann Lee', 'Ann'), { updated: true });
    assert.deepEqual(await subjects().list(), { subjects: ['Ann', 'bob'] });
    assert.equal((await refused(subjects().rename('nobody', 'x'))).code, 42);
    assert.deepEqual(await subjects().delete('bob'), { subject: 'bob' });
    const again = await refused(subjects().delete('bob'));
    assert.deepEqual([again.status, again.code], [404, 42]);
    assert.deepEqual(await subjects().deleteAll(), { deleted: 1 });
    assert.deepEqual(await subjects().list(), { subjects: [] });
  });

  it('adds examples by file and by base64, lists and deletes them', async (t) => {
    const server = await listeningCompreFace(t);
    const { recognition } = sdk(server);
    const faces = () => recognition.getFaceCollection();
    const first = await faces().add<Example>(await server.file('ann'), 'Ann');
    assert.equal(first.subject, 'Ann');
    assert.match(first.image_id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const second = await faces().add<Example>((await scene('ann2')).toString('base64'), 'Ann');
    const third = await faces().add<Example>(await server.file('bob'), 'Bob', { det_prob_threshold: '0.7' });
    assert.equal(server.vision.asked.at(-1)?.minProbability, 0.7, 'the SDK writes a second "?"');
    assert.deepEqual(await faces().list(), {
      faces: [first, second, third].map(({ image_id, subject }) => ({ image_id, subject })),
      page_number: 0,
      page_size: 20,
      total_pages: 1,
      total_elements: 3,
    });
    assert.deepEqual(await faces().delete(first.image_id), first);
    const gone = await refused(faces().delete(first.image_id));
    assert.deepEqual([gone.status, gone.code], [404, 44]);
    assert.deepEqual(await faces().delete_multiple_images([second.image_id, first.image_id]), [second]);
    assert.deepEqual(await faces().delete_all_subject('Bob'), { deleted: 1 });
    assert.deepEqual(await faces().delete_all(), { deleted: 0 });
    assert.deepEqual(await everybody(server.gallery), []);
  });

  it('recognises, several subjects a face and with all that it can tell', async (t) => {
    const server = await listeningCompreFace(t);
    const { recognition } = sdk(server);
    await recognition.getFaceCollection().add(await server.file('ann'), 'Ann');
    await recognition.getFaceCollection().add(await server.file('bob'), 'Bob');
    const picture = await server.file('both');
    const plain = await recognition.recognize(picture, { limit: 0 });
    const box = { probability: 0.99, x_min: 10, y_min: 10 };
    assert.deepEqual(plain, {
      result: [
        { box: { ...box, x_max: 110, y_max: 110 }, subjects: [{ subject: 'Ann', similarity: 1 }] },
        { box: { ...box, x_max: 100, y_max: 100 }, subjects: [{ subject: 'Bob', similarity: 1 }] },
      ],
    });
    const one = await recognition.recognize<{ result: { subjects: unknown[] }[]; plugins_versions: object }>(
      picture,
      { limit: 1, prediction_count: 2, face_plugins: 'calculator', status: true, det_prob_threshold: 0.5 },
    );
    assert.equal(one.result.length, 1);
    assert.equal(one.result[0].subjects.length, 2);
    assert.deepEqual((one.result[0] as { embedding?: number[] }).embedding, [1, 0, 0, 0]);
    assert.deepEqual((one.result[0] as { execution_time?: object }).execution_time, {
      detector: 2,
      calculator: 3,
    });
    assert.deepEqual(one.plugins_versions, { detector: 'ssd.detector', calculator: 'tiny.calculator' });
    const none = await refused(recognition.recognize(await server.file('nobody'), { limit: 0 }));
    assert.deepEqual([none.status, none.code], [400, 28]);
    const two = await refused(recognition.getFaceCollection().add(picture, 'Both'));
    assert.deepEqual([two.status, two.code], [400, 31]);
  });

  it('verifies a face against an example, and two pictures against each other', async (t) => {
    const server = await listeningCompreFace(t);
    const { recognition, verification } = sdk(server, { limit: 0, status: true });
    const faces = () => recognition.getFaceCollection();
    const { image_id } = await faces().add<Example>(await server.file('ann'), 'Ann');
    const same = await faces().verify<{ result: { subject: string; similarity: number }[] }>(
      await server.file('ann2'),
      image_id,
    );
    assert.equal(same.result[0].subject, 'Ann');
    assert.ok(same.result[0].similarity > 0.99, String(same.result[0].similarity));
    const unknown = await refused(
      faces().verify(await server.file('ann'), '00000000-0000-8000-8000-000000000000'),
    );
    assert.deepEqual([unknown.status, unknown.code], [404, 44]);

    interface Verified {
      result: [
        { source_image_face: object; face_matches: { similarity: number }[]; plugins_versions: object },
      ];
    }
    const pair = await verification.verify<Verified>(await server.file('ann'), await server.file('both'), {
      limit: 0,
    });
    const [{ source_image_face, face_matches, plugins_versions }] = pair.result;
    assert.ok('box' in source_image_face);
    assert.deepEqual(
      face_matches.map(({ similarity }) => similarity > 0.5),
      [true, false],
    );
    assert.ok('detector' in plugins_versions);
    const base64 = (await scene('ann')).toString('base64');
    const byText = await verification.verify<Verified>(base64, (await scene('bob')).toString('base64'), {
      limit: 1,
    });
    assert.ok(byText.result[0].face_matches[0].similarity < 0.5);
  });

  it('detects', async (t) => {
    const server = await listeningCompreFace(t);
    const { detection } = sdk(server);
    // Without a limit the SDK writes "?" before each parameter.
    const found = await detection.detect<{ result: object[]; plugins_versions: object }>(
      await server.file('both'),
      { det_prob_threshold: 0.6, face_plugins: 'age,gender', status: true } as never,
    );
    assert.equal(found.result.length, 2);
    assert.ok('detector' in found.plugins_versions);
    const { embed, minProbability, ageGender, quality } = server.vision.asked.at(-1) ?? {};
    assert.deepEqual([embed, minProbability, ageGender, quality], [false, 0.6, true, false]);
    const none = await refused(detection.detect((await scene('nobody')).toString('base64')));
    assert.deepEqual([none.status, none.code], [400, 28]);
  });
});
