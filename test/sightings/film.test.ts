import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { SightingAnswer } from '../../src/http/v1/sighting-schemas.js';
import { type Film, openFilm, peopleOf, type Place, type Somebody } from '../support/film.js';
import { SHARED_MISSING } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

/** Enrolled from two of their pictures, filmed with the two others. */
const PEOPLE = 8;
/** Filmed with their only picture. */
const STRANGERS = 6;
const CAMERAS = ['gate', 'yard'];
/** How many strangers stand beside a filmed person in the pictures of each pass. */
const BESIDE = [0, 1];

/** A clock that is an hour slow while a file is there. */
const clockOf = (file: string) =>
  `--import=data:text/javascript,${encodeURIComponent(`import { existsSync } from 'node:fs';
    const Real = Date;
    const now = () => Real.now() - (existsSync(${JSON.stringify(file)}) ? 3600000 : 0);
    globalThis.Date = class extends Real {
      constructor(...given) { if (given.length > 0) super(...given); else super(now()); }
      static now() { return now(); }
    };`)}`;

/** People of the reference data walk in turn past two cameras, twice. */
describe('a film of people who walk past two cameras', { skip: SHARED_MISSING }, () => {
  let film: Film;
  let people: Somebody[];
  let strangers: Somebody[];
  let slow: string;

  before(async () => {
    const folder = await temporaryFolder({ after });
    slow = path.join(folder, 'slow');
    film = await openFilm(folder, { NODE_OPTIONS: clockOf(slow) });
    people = await peopleOf('lfw', PEOPLE);
    strangers = await peopleOf('lfw-strangers', STRANGERS);
    for (const [i, [, pictures]] of people.entries()) await film.enrol(`p${i}`, [pictures[0], pictures[2]]);
  });
  after(() => film.server.end());

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
  /** The visits at a camera of a test's own once they are over, oldest first: who, and in how many frames. */
  async function seenAt(camera: string): Promise<[who: string | null, frames: number][]> {
    const listed = () => film.listed(`&deviceid=${camera}`);
    await until(async () => (await listed()).every(({ isOpen }) => !isOpen));
    return (await listed())
      .toSorted((one, other) => one.id - other.id)
      .map(({ person, frames }) => [person?.userid ?? null, frames]);
  }

  it(
    'counts each of them once a pass, splits nothing by a dropped frame, and takes nobody for another',
    { timeout: 600_000 },
    async () => {
      for (const pass of [1, 2]) {
        await Promise.all(
          CAMERAS.map(async (camera) => {
            const client = await film.connect(camera);
            for (const [, pictures] of people) await film.walk(client, pictures[pass === 1 ? 1 : 3]);
            for (const [, [picture]] of strangers) await film.walk(client, picture);
            client.socket.close();
          }),
        );
        await film.allOver();
        assert.deepEqual(countsOf(await film.listed()), expected(pass), `pass ${pass}`);
      }
      const [one] = await film.listed('&faceid=default-p0&deviceid=gate');
      assert.ok(one.frames >= 3 && one.picture, JSON.stringify(one));
      const picture = await film.server.get(one.picture);
      assert.deepEqual([picture.status, picture.headers['content-type']], [200, 'image/png']);
    },
  );

  it('takes two who cross for two, and neither for the other', { timeout: 120_000 }, async () => {
    const client = await film.connect('crossing');
    const steps = [0, 60, 120, 180, 240, 300, 360];
    const [one, other] = [people[0][1][1], people[1][1][1]];
    for (const step of steps) {
      const left: Place = { left: 40 + step, top: 0 };
      const right: Place = { left: 640 - step, top: 270 };
      await film.show(client, [await film.frame({ picture: one, at: left }, { picture: other, at: right })]);
    }
    client.socket.close();
    assert.deepEqual((await seenAt('crossing')).map(([who]) => who).sort(), ['p0', 'p1']);
  });

  it('sees that somebody else has stepped in at the same place', { timeout: 120_000 }, async () => {
    const client = await film.connect('desk');
    const at: Place = { left: 300, top: 120 };
    for (const [, pictures] of [people[2], people[3]])
      for (let i = 0; i < 4; i++) await film.show(client, [await film.frame({ picture: pictures[1], at })]);
    client.socket.close();
    assert.deepEqual(
      (await seenAt('desk')).map(([who]) => who),
      ['p2', 'p3'],
    );
  });

  it(
    'goes on with the visit when the camera connects anew, of a stranger too',
    { timeout: 120_000 },
    async () => {
      for (const [name, picture] of [
        ['p4', people[4][1][1]],
        [null, strangers[0][1][0]],
      ] as const) {
        const camera = `anew-${name}`;
        for (const places of [
          [0, 60],
          [110, 170],
        ]) {
          const client = await film.connect(camera);
          await film.walk(client, picture, places);
          client.socket.close();
          await client.closed;
        }
        const [[who, frames], ...others] = await seenAt(camera);
        assert.deepEqual([who, others.length], [name, 0]);
        assert.ok(frames >= 2, `${frames}: one of each connection at least`);
      }
    },
  );

  it('goes on with the visit when the clock is set back', { timeout: 120_000 }, async () => {
    const client = await film.connect('clock');
    await film.walk(client, people[5][1][1], [0, 60]);
    await until(async () => (await film.listed('&deviceid=clock')).length === 1);
    await writeFile(slow, '');
    // Of another connection, which searches each face anew.
    client.socket.close();
    const again = await film.connect('clock');
    await film.walk(again, people[5][1][1], [110, 170]);
    const [going] = await film.listed('&deviceid=clock');
    assert.equal(going.isOpen, true, 'nobody has left');
    again.socket.close();
    await until(async () => (await film.listed('&deviceid=clock')).every(({ isOpen }) => !isOpen));
    await rm(slow);
    const [visit, ...others] = await film.listed('&deviceid=clock');
    const lasted = Date.parse(visit.last) - Date.parse(visit.first);
    assert.deepEqual([visit.person?.userid, visit.frames >= 2, others.length], ['p5', true, 0]);
    assert.ok(lasted >= 0 && lasted < 60_000, `${lasted} ms`);
  });

  it(
    'loses nothing that was written when the worker is killed, and goes on with the visit',
    { timeout: 600_000 },
    async () => {
      await film.allOver();
      const before = await film.listed();
      const [, pictures] = people[0];
      let client = await film.connect('gate');
      await film.walk(client, pictures[1], [0, 60]);
      await until(async () => (await film.listed()).length === before.length + 1);
      const [visit] = await film.listed();
      // Longer than a start takes.
      await film.restart('SIGKILL', { VISIT_GAP: '60' });
      client = await film.connect('gate');
      await film.walk(client, pictures[1], [60, 110, 170]);
      client.socket.close();
      await until(async () => (await film.listed())[0].frames > visit.frames);
      const now = await film.listed();
      assert.deepEqual([now.length, now[0].id, now[0].first], [before.length + 1, visit.id, visit.first]);
      assert.deepEqual(now.slice(1), before, 'the others are as they were');
    },
  );

  it('leaves nothing of a person who is deleted', async () => {
    assert.equal((await film.server.delete('/api/default/p0')).status, 200);
    assert.deepEqual(await film.listed('&faceid=default-p0'), []);
    const folder = path.join(film.settings.EMBEDDINGS_DIR, 'sightings');
    for (const name of await readdir(folder))
      assert.ok(!(await readFile(path.join(folder, name))).includes('default-p0'), name);
  });
});
