import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { composeFrame } from '../../src/bench/frames.js';
import type { FoundFace } from '../support/faces.js';
import { form } from '../support/form.js';
import { KNOWN, knownIn, PHOTOGRAPHS, portrait, scene, whoIsAt } from '../support/photographs.js';
import { startServer, type TestServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

/** Real faces in every clone; over more people, and on other pictures of the enrolled ones: recognition.test.ts. */
describe('real faces of the photographs that come with face-api', () => {
  let server: TestServer;
  let env: Record<string, string> & { CACHE_DIR: string };

  before(async () => {
    const folder = await temporaryFolder({ after });
    env = {
      MODEL_PACK: 'faceapi',
      EMBEDDINGS_DIR: path.join(folder, 'gallery'),
      CACHE_DIR: path.join(folder, 'cache'),
      DOUBLE_REGISTRATION_SECONDS: '0',
    };
    server = await startServer(env);
  });
  after(() => server.end());

  const register = async (userid: string, picture: Buffer) =>
    await server.post(
      '/api/face_register',
      await form(['groupid', 'default'], ['userid', userid], ['image', picture]),
    );
  const recognise = async (number: number): Promise<FoundFace[]> => {
    const answer = await server.post('/api/face_recognizer', await form(['image', await scene(number)]));
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body as FoundFace[];
  };

  /** Each of these is named where they sit, once, and nobody else is. */
  async function assertNamed(names: readonly string[]): Promise<void> {
    for (const number of PHOTOGRAPHS) {
      const faces = await recognise(number);
      const told = faces.map((face) => [face.userid ?? '', whoIsAt(number, face) ?? 'nobody']);
      const named = told.filter(([userid]) => userid !== '');
      assert.ok(
        named.every(([userid, seated]) => userid === seated),
        `photograph ${number}: ${named.join(' ')}`,
      );
      assert.deepEqual(
        named.map(([userid]) => userid).sort(),
        knownIn(number).filter((name) => names.includes(name)),
        `photograph ${number}`,
      );
      assert.ok(told.length >= 3, `photograph ${number}: ${told.length} faces`);
    }
  }

  it('knows nobody while nobody is enrolled', async () => {
    await assertNamed([]);
  });

  it('names those who were enrolled from mirrored portraits, and of 14 others nobody', async () => {
    for (const name of KNOWN) {
      const { status, body } = await register(name, await portrait(name, { mirrored: true }));
      assert.equal(status, 200, `${name}: ${JSON.stringify(body)}`);
    }
    await assertNamed(KNOWN);
  });

  it('keeps them over a restart', async () => {
    const known = await server.get('/api/faceid_infos');
    assert.equal((known.body as unknown[]).length, KNOWN.length);
    await server.end();
    server = await startServer(env);
    assert.deepEqual((await server.get('/api/faceid_infos')).body, known.body);
    await assertNamed(KNOWN);
  });

  it('refuses a picture of several faces and one of none, each by its own word', async () => {
    const several = await register('somebody', await scene(5));
    assert.deepEqual([several.status, (several.body as { mid: string }).mid], [422, 'E2007']);
    const none = await register('somebody', await composeFrame('no face'));
    assert.deepEqual([none.status, (none.body as { mid: string }).mid], [422, 'E2006']);
    assert.equal((await server.get('/api/faceid_info/default-somebody')).status, 404);
  });

  it('knows nobody who was deleted, and takes none of them for another', async () => {
    const [gone, left] = [KNOWN.filter((_, i) => i % 2 === 0), KNOWN.filter((_, i) => i % 2 === 1)];
    for (const name of gone) assert.equal((await server.delete(`/api/default/${name}`)).status, 200);
    await assertNamed(left);
  });
});
