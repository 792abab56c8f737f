import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import { composeFrame } from '../../src/bench/frames.js';
import type { SightingAnswer } from '../../src/http/v1/sighting-schemas.js';
import { form } from '../support/form.js';
import { startServer, type TestServer } from '../support/server.js';
import { shared, SHARED_MISSING } from '../support/shared.js';
import { openStream, type StreamClient } from '../support/stream-client.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

/** Enrolled from two of their pictures, filmed with the two others. */
const PEOPLE = 8;
/** Filmed with their only picture. */
const STRANGERS = 6;
const CAMERAS = ['gate', 'yard'];
/** How many strangers stand beside a filmed person in the pictures of each pass. */
const BESIDE = [0, 1];
/**
 * Where the face is, frame after frame; undefined: nobody is in this one. Every other step is too long to be followed, so
 * that the track is lost and found anew.
 */
const WALK = [0, 60, undefined, 170, 230, 290];

/** People of the reference data walk in turn past two cameras, twice. */
describe('a film of people who walk past two cameras', { skip: SHARED_MISSING }, () => {
  let server: TestServer;
  let env: Record<string, string> & { CACHE_DIR: string };
  let background: Buffer;
  let people: [name: string, pictures: Buffer[]][];
  let strangers: [name: string, pictures: Buffer[]][];

  async function load(folder: string, most: number): Promise<[string, Buffer[]][]> {
    const names = (await readdir(shared('images', folder))).sort().slice(0, most);
    return await Promise.all(
      names.map(async (name): Promise<[string, Buffer[]]> => {
        const files = (await readdir(shared('images', folder, name))).sort();
        return [name, await Promise.all(files.map((file) => readFile(shared('images', folder, name, file))))];
      }),
    );
  }

  before(async () => {
    const folder = await temporaryFolder({ after });
    env = {
      ...{ MODEL_PACK: 'faceapi', SIGHTINGS: 'true', KEEP_SIGHTINGS: 'true', VISIT_GAP: '5' },
      ...{ EMBEDDINGS_DIR: path.join(folder, 'gallery'), CACHE_DIR: path.join(folder, 'cache') },
      DOUBLE_REGISTRATION_SECONDS: '0',
    };
    server = await startServer(env);
    background = await composeFrame('no face');
    people = await load('lfw', PEOPLE);
    strangers = await load('lfw-strangers', STRANGERS);
    for (const [i, [name, pictures]] of people.entries()) {
      const enrolled = [];
      for (const picture of [pictures[0], pictures[2]]) {
        const fields = await form(
          ['groupid', 'default'],
          ['userid', `p${i}`],
          ['force', 'true'],
          ['image', await frame(picture, 200)],
        );
        const { status, body } = await server.post('/api/face_register', fields);
        enrolled.push(status === 200 ? '' : JSON.stringify(body));
      }
      assert.ok(enrolled.includes(''), `${name}: ${enrolled.join(' ')}`);
    }
  });
  after(() => server.end());

  /** A frame with somebody at a place, a little brighter or darker each time. */
  async function frame(picture: Buffer, at: number | undefined): Promise<Buffer> {
    if (at === undefined) return background;
    const light = 0.9 + (at % 7) / 30;
    const input = await sharp(picture)
      .resize(240 + (at % 5) * 4)
      .modulate({ brightness: light })
      .toBuffer();
    return await sharp(background)
      .composite([{ input, left: 60 + at, top: 120 + (at % 11) }])
      .jpeg({ quality: 90 })
      .toBuffer();
  }

  async function connect(deviceid: string): Promise<StreamClient> {
    const client = await openStream(`wss://localhost:${server.port}/api/v1/stream`, { agent: server.agent });
    client.options({ deviceid });
    return client;
  }

  async function walk(
    client: StreamClient,
    picture: Buffer,
    places: (number | undefined)[] = WALK,
  ): Promise<void> {
    for (const at of places) {
      const answer = await client.ask(await frame(picture, at));
      assert.equal(answer.type, 'frame', JSON.stringify(answer));
    }
  }

  async function listed(query = ''): Promise<SightingAnswer[]> {
    const { body } = await server.get(`/api/v1/sightings?limit=200${query}`);
    return (body as { sightings: SightingAnswer[] }).sightings;
  }
  const allOver = () => until(async () => (await listed()).every(({ isOpen }) => !isOpen));

  /** How many visits of each there were at each camera; strangers all together. */
  const countsOf = (sightings: SightingAnswer[]) => {
    const counts: Record<string, number> = {};
    for (const { deviceid, person } of sightings) {
      const name = `${deviceid} ${person?.userid ?? 'stranger'}`;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  };
  const expected = (passes: number) =>
    Object.fromEntries(
      CAMERAS.flatMap((camera) => [
        ...people.map((_, i): [string, number] => [`${camera} p${i}`, passes]),
        [`${camera} stranger`, passes * STRANGERS + BESIDE.slice(0, passes).reduce((a, b) => a + b)] as [
          string,
          number,
        ],
      ]),
    );

  it(
    'counts each of them once a pass, splits nothing by a dropped frame, and takes nobody for another',
    { timeout: 600_000 },
    async () => {
      for (const pass of [1, 2]) {
        await Promise.all(
          CAMERAS.map(async (camera) => {
            const client = await connect(camera);
            for (const [, pictures] of people) await walk(client, pictures[pass === 1 ? 1 : 3]);
            for (const [, [picture]] of strangers) await walk(client, picture);
            client.socket.close();
          }),
        );
        await allOver();
        assert.deepEqual(countsOf(await listed()), expected(pass), `pass ${pass}`);
      }
      const [one] = await listed('&faceid=default-p0&deviceid=gate');
      assert.ok(one.frames >= 3 && one.picture, JSON.stringify(one));
      const picture = await server.get(one.picture);
      assert.deepEqual([picture.status, picture.headers['content-type']], [200, 'image/png']);
    },
  );

  it(
    'loses nothing that was written when the worker is killed, and goes on with the visit',
    { timeout: 600_000 },
    async () => {
      const before = await listed();
      const [, pictures] = people[0];
      let client = await connect('gate');
      await walk(client, pictures[1], [0, 60]);
      await until(async () => (await listed()).length === before.length + 1);
      const [visit] = await listed();
      await server.end('SIGKILL');
      // Longer than a start takes.
      server = await startServer({ ...env, VISIT_GAP: '60' });
      client = await connect('gate');
      await walk(client, pictures[1], [60, 110, 170]);
      client.socket.close();
      await until(async () => (await listed())[0].frames > visit.frames);
      const now = await listed();
      assert.deepEqual([now.length, now[0].id, now[0].first], [before.length + 1, visit.id, visit.first]);
      assert.deepEqual(now.slice(1), before, 'the others are as they were');
    },
  );

  it('leaves nothing of a person who is deleted', async () => {
    assert.equal((await server.delete('/api/default/p0')).status, 200);
    assert.deepEqual(await listed('&faceid=default-p0'), []);
    const folder = path.join(env.EMBEDDINGS_DIR, 'sightings');
    for (const name of await readdir(folder))
      assert.ok(!(await readFile(path.join(folder, name))).includes('default-p0'), name);
  });
});
