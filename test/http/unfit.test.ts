import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { AnalysedFace, Quality, Unfit } from '../../src/vision/types.js';
import { face, testApp, unitVector } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { openStream } from '../support/stream-client.js';

/** How a face of this kind was measured. */
const QUALITY: Record<Unfit, Quality> = {
  turned: { size: 100, sharpness: 80, brightness: 120 },
  too_small: { size: 11, sharpness: 80, brightness: 120 },
  too_blurred: { size: 100, sharpness: 1.5, brightness: 120 },
};
const CODES = { turned: 'FACE_TURNED', too_small: 'FACE_TOO_SMALL', too_blurred: 'FACE_BLURRED' };
const REASONS = ['turned', 'too_small', 'too_blurred'] as const;

/** Ken's face to the last number, in a picture by which nobody can be told apart. */
const unfit = (reason: Unfit): AnalysedFace => ({
  ...face(QUALITY[reason].size),
  quality: QUALITY[reason],
  unfit: reason,
});

async function stand(t: TestContext, reason: Unfit) {
  const made = await testApp(t, { DOUBLE_REGISTRATION_SECONDS: 0, MIN_ENROL_SIZE: 12, MIN_SHARPNESS: 0 });
  await made.gallery.createGroup({ groupid: 'staff', groupname: 'The staff' });
  await made.gallery.enrol({ groupid: 'staff', userid: 'ken', username: 'Ken' }, unitVector(0));
  await made.gallery.enrol({ groupid: 'default', userid: 'ken', username: 'Ken' }, unitVector(0));
  made.vision.faces = [unfit(reason)];
  const jpeg = await greyJpeg(320, 240);
  return {
    ...made,
    jpeg,
    post: async (url: string, ...fields: Parameters<typeof form>) =>
      await made.app.inject({ method: 'POST', url, ...(await form(...fields)) }),
  };
}

for (const reason of REASONS) {
  describe(`a face that is ${reason}`, () => {
    it('is nobody’s on /api/v1, with the reason and its quality', async (t) => {
      const { post, jpeg, vision } = await stand(t, reason);
      const seen = (await post('/api/v1/recognise', ['image', jpeg])).json<{ faces: unknown[] }>();
      const [{ matches, ...rest }] = seen.faces as Record<string, unknown>[];
      assert.deepEqual(matches, []);
      assert.deepEqual([rest.reason, rest.quality], [reason, QUALITY[reason]]);
      vision.faces = [{ ...face(100), quality: QUALITY.turned }];
      const good = (await post('/api/v1/recognise', ['image', jpeg])).json<{ faces: unknown[] }>();
      const [other] = good.faces as Record<string, unknown>[];
      assert.equal((other.matches as unknown[]).length, 1);
      assert.deepEqual([other.reason, other.quality], [undefined, undefined], 'quality was not asked for');
    });

    it('is unknown on the maiface surface', async (t) => {
      const { post, jpeg } = await stand(t, reason);
      const answer = await post('/api/face_recognizer', ['image', jpeg], ['deviceid', '']);
      const [found] = answer.json<Record<string, unknown>[]>();
      const { faceid, userid, username, groupid, probability, distance } = found;
      assert.deepEqual(
        { faceid, userid, username, groupid, probability, distance },
        { faceid: '', userid: null, username: null, groupid: null, probability: 0, distance: null },
      );
      assert.deepEqual([found.reason, found.quality], [reason, QUALITY[reason]]);
    });

    it('has no subjects on CompreFace’s surface, and is like nobody', async (t) => {
      const { post, jpeg } = await stand(t, reason);
      const seen = await post('/api/v1/recognition/recognize?prediction_count=3', ['file', jpeg]);
      const [result] = seen.json<{ result: Record<string, unknown>[] }>().result;
      assert.deepEqual([result.subjects, result.reason, result.quality], [[], reason, QUALITY[reason]]);
      const verified = await post(
        '/api/v1/verification/verify',
        ['source_image', jpeg],
        ['target_image', jpeg],
      );
      const { face_matches } = verified.json<{ result: { face_matches: { similarity: number }[] }[] }>()
        .result[0];
      assert.deepEqual(
        face_matches.map(({ similarity }) => similarity),
        [0],
      );
    });

    it('is not verified by, nor enrolled on any surface, whatever the settings', async (t) => {
      const { post, jpeg, gallery } = await stand(t, reason);
      const code = CODES[reason];
      const verified = await post('/api/v1/verify', ['image', jpeg], ['faceid', 'staff-ken']);
      assert.deepEqual([verified.statusCode, verified.json<{ code: string }>().code], [422, code]);
      const v1 = await post('/api/v1/people/staff-ken/faces?force=true', ['image', jpeg]);
      assert.equal(v1.json<{ results?: { error: { code: string } }[] } & { code: string }>().code, code);
      const maiface = await post(
        '/api/face_register',
        ['userid', 'mia'],
        ['groupid', 'staff'],
        ['image', jpeg],
      );
      assert.equal(maiface.statusCode, 422);
      const compreface = await post('/api/v1/recognition/faces?subject=mia', ['file', jpeg]);
      assert.equal(compreface.statusCode, 400);
      assert.equal((await gallery.person('staff-ken'))?.faces.length, 1);
      assert.equal(await gallery.person('staff-mia'), undefined);
    });

    it('is unknown in a stream, with the reason', async (t) => {
      const { app, jpeg } = await stand(t, reason);
      await app.listen({ host: '127.0.0.1', port: 0 });
      const { port } = app.server.address() as AddressInfo;
      const client = await openStream(`ws://127.0.0.1:${port}/api/v1/stream`);
      t.after(() => client.socket.terminate());
      for (let i = 0; i < 2; i++) {
        const answer = await client.ask(jpeg);
        assert.ok(answer.type === 'frame');
        const [seen] = answer.faces;
        assert.deepEqual([seen.faceid, seen.distance, seen.sure], ['', null, false]);
        assert.deepEqual([seen.reason, seen.quality], [reason, QUALITY[reason]]);
      }
    });
  });
}
