import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { installFrom } from '../../src/models/packs/install.js';
import {
  type FoundFace,
  idOf,
  inPairs,
  peopleIn,
  type Pictures,
  recognise,
  register,
} from '../support/faces.js';
import { startServer, type TestServer } from '../support/server.js';
import { SHARED_MISSING, shared } from '../support/shared.js';

/** Whose face lies at a point, by what they wear and where they sit: pixels of the scene. */
interface Seat {
  x: number;
  y: number;
  name: string;
}

/**
 * The scenes from the show, in costume. `undefined`: the people are at an event, out of costume; there it is only
 * asked that nobody is named twice, and that whoever is taken out of the gallery is nobody else then.
 */
const SCENES: Record<string, Seat[] | undefined> = {
  group1: [
    { x: 255, y: 190, name: 'raj' },
    { x: 520, y: 200, name: 'leonard' },
    { x: 775, y: 190, name: 'howard' },
    { x: 1050, y: 130, name: 'sheldon' },
  ],
  // Behind these two sit extras, who are in nobody's gallery.
  group2: [
    { x: 140, y: 165, name: 'leonard' },
    { x: 420, y: 165, name: 'sheldon' },
  ],
  group3: undefined,
  group4: undefined,
  group5: [
    { x: 145, y: 210, name: 'raj' },
    { x: 255, y: 85, name: 'penny' },
    { x: 485, y: 195, name: 'sheldon' },
    { x: 610, y: 100, name: 'leonard' },
    { x: 765, y: 165, name: 'howard' },
  ],
};

const nobody = '';
const nameOf = ({ userid }: FoundFace) => userid ?? nobody;
const holds = ({ x, y, width, height }: FoundFace, seat: Seat) =>
  seat.x >= x && seat.x < x + width && seat.y >= y && seat.y < y + height;

for (const pack of ['faceapi', 'mtcnn+faceapi']) {
  describe(`real faces, ${pack}`, { skip: SHARED_MISSING }, () => {
    let folder: string;
    let server: TestServer | undefined;
    const start = async (gallery: string, settings: Record<string, string> = {}) => {
      await server?.end();
      server = await startServer({
        MODEL_PACK: pack,
        EMBEDDINGS_DIR: path.join(folder, gallery),
        CACHE_DIR: path.join(folder, 'cache'),
        DOUBLE_REGISTRATION_SECONDS: '0',
        AUTH: 'none',
        // The pack of MTCNN is built here; the other is part of every checkout that has been started once.
        ...(pack === 'faceapi' ? {} : { MODELS_DIR: path.join(folder, 'models') }),
        ...settings,
      });
      return server;
    };

    before(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'kaomon-test-'));
      if (pack === 'faceapi') return;
      const modelsDir = path.join(folder, 'models');
      await mkdir(modelsDir);
      await installFrom(shared('weights/mtcnn'), { modelsDir });
    });
    after(async () => {
      await server?.end();
      await rm(folder, { recursive: true, force: true });
    });

    describe('one picture of each enrolled', () => {
      let people: Pictures[] = [];

      it('enrols 24 people', async () => {
        const running = await start('lfw');
        people = await peopleIn(shared('images/lfw'));
        assert.equal(people.length, 24);
        const answers = await inPairs(people, ({ name, files }) => register(running, idOf(name), files[0]));
        assert.deepEqual(
          answers.filter(({ status }) => status !== 200).map(({ body }) => body),
          [],
        );
      });

      it('names at most one of 30 strangers', async () => {
        const strangers = await peopleIn(shared('images/lfw-strangers'));
        assert.equal(strangers.length, 30);
        const running = server ?? (await start('lfw'));
        const named = await inPairs(strangers, async ({ name, files }) => {
          const faces = await recognise(running, files[0]);
          return faces.filter(({ faceid }) => faceid !== '').map(({ faceid }) => `${name}: ${faceid}`);
        });
        assert.ok(named.flat().length <= 1, named.flat().join(', '));
      });

      it('keeps everyone over a restart, finds the faces and has the right person nearest', async (t) => {
        const before = await server?.get('/api/faceid_infos');
        // Every distance is below 4: whoever is nearest is named.
        const running = await start('lfw', { IDENTICAL_DISTANCE: '4' });
        assert.deepEqual((await running.get('/api/faceid_infos')).body, before?.body);
        assert.equal((before?.body as unknown[]).length, 24);
        const probes = people.flatMap(({ name, files }) => files.slice(1).map((file) => ({ name, file })));
        const found = await inPairs(probes, async ({ name, file }) => {
          const largest = (await recognise(running, file)).at(0);
          return largest && { right: nameOf(largest) === idOf(name), file };
        });
        const faces = found.filter((face) => face !== undefined);
        const wrong = faces.filter(({ right }) => !right).map(({ file }) => path.basename(file));
        t.diagnostic(
          `${faces.length} faces in ${probes.length} probes, nearest is another for: ${wrong.join(', ') || 'none'}`,
        );
        assert.equal(probes.length, 72);
        assert.ok(faces.length >= 0.95 * probes.length, `${faces.length} of ${probes.length}`);
        assert.ok(wrong.length <= 0.03 * faces.length, wrong.join(', '));
      });
    });

    describe('five pictures of each enrolled', () => {
      const answers = new Map<string, FoundFace[]>();

      it('enrols eight people', async (t) => {
        const running = await start('bbt');
        const people = await peopleIn(shared('images/bbt'));
        assert.equal(people.length, 8);
        const refused: { file: string; status: number }[] = [];
        // Never two pictures of one person at once: that is a double click, and refused.
        for (const i of [0, 1, 2, 3, 4]) {
          await inPairs(people, async ({ name, files }) => {
            const { status } = await register(running, name, files[i]);
            if (status !== 200) refused.push({ file: path.basename(files[i]), status });
          });
        }
        t.diagnostic(
          `refused: ${refused.map(({ file, status }) => `${file} ${status}`).join(', ') || 'none'}`,
        );
        assert.ok(refused.length <= 2, refused.map(({ file }) => file).join(', '));
        const infos = (await running.get('/api/faceid_infos')).body as unknown[];
        assert.equal(infos.length, 8);
      });

      it('refuses a picture of several faces and one of none, each by its own word', async () => {
        const running = server ?? (await start('bbt'));
        const several = await register(running, 'nobody', shared('images/bbt/group3.jpg'));
        assert.deepEqual([several.status, (several.body as { mid: string }).mid], [422, 'E2007']);
        const none = await register(running, 'nobody', shared('images/frames/empty.jpg'));
        assert.deepEqual([none.status, (none.body as { mid: string }).mid], [422, 'E2006']);
        assert.equal((await running.get('/api/faceid_info/default-nobody')).status, 404);
      });

      it('names four of five faces in the scenes, each person once', async (t) => {
        const running = server ?? (await start('bbt'));
        for (const scene of Object.keys(SCENES)) {
          answers.set(scene, await recognise(running, shared(`images/bbt/${scene}.jpg`)));
        }
        const all = [...answers.values()].flat();
        const named = all.filter(({ faceid }) => faceid !== '');
        t.diagnostic(`${named.length} of ${all.length} faces named`);
        for (const [scene, faces] of answers) {
          t.diagnostic(
            `${scene}: ${faces.map((face) => `${nameOf(face) || '?'} ${face.distance?.toFixed(3)} @${face.x},${face.y} ${face.width}x${face.height}`).join('; ')}`,
          );
          const names = faces.map(nameOf).filter(Boolean);
          assert.equal(new Set(names).size, names.length, `${scene}: ${names.join(', ')}`);
        }
        assert.ok(named.length >= 0.8 * all.length, `${named.length} of ${all.length}`);
      });

      it('names nobody wrongly where the costume tells who it is', () => {
        for (const [scene, seats] of Object.entries(SCENES)) {
          if (!seats) continue;
          const faces = answers.get(scene) ?? [];
          for (const face of faces.filter(({ faceid }) => faceid !== '')) {
            const seat: Seat | undefined = seats.find((candidate) => holds(face, candidate));
            assert.equal(nameOf(face), seat?.name, `${scene} at ${face.x}, ${face.y}`);
          }
          for (const seat of seats) {
            assert.ok(
              faces.some((face) => holds(face, seat)),
              `${scene}: no face found for ${seat.name}`,
            );
          }
        }
      });

      it('knows nobody who was deleted, and takes none of them for another', async () => {
        const running = server ?? (await start('bbt'));
        const names = new Set([...answers.values()].flat().map(nameOf).filter(Boolean));
        for (const name of names) {
          assert.equal((await running.delete(`/api/default/${name}`)).status, 200);
          for (const [scene, faces] of answers) {
            const was = faces.find((face) => nameOf(face) === name);
            if (!was) continue;
            const now = await recognise(running, shared(`images/bbt/${scene}.jpg`));
            const same = now.find(({ x, y }) => x === was.x && y === was.y);
            assert.equal(same && nameOf(same), nobody, `${scene}: ${name} is deleted`);
          }
        }
      });
    });
  });
}
