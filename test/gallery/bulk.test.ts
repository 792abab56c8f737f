import assert from 'node:assert/strict';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { nameFace } from '../../src/gallery/face-name.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import type { FilledPerson } from '../../src/gallery/store/store.js';
import { NO_SMALL_DISK, smallDisk } from '../support/small-disk.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const LENGTH = 8;
const random = seededRandom(3);
const AT = new Date('2026-01-02T03:04:05Z');

const open = (folder: string) =>
  createFileStore({ folder, pack: 'tiny', length: LENGTH, warn: () => undefined });

function filled(faceid: string, crop?: Uint8Array): FilledPerson {
  const id = nameFace(faceid, AT, false);
  const face = {
    id,
    faceid,
    enrolledAt: '2026-01-02T03:04:05Z',
    automatic: false,
    hasPicture: crop !== undefined,
  };
  return {
    faceid,
    profile: { username: 'Name', metadata: {} },
    faces: [{ face, vector: randomUnitVector(random, LENGTH), crop }],
  };
}

describe('people who are written by the many', () => {
  it('are made where only an empty folder is in the way, or one of nobody', async (t) => {
    const folder = await temporaryFolder(t);
    const store = open(folder);
    t.after(() => store.close());
    await store.prepare();
    const place = (...names: string[]) => path.join(folder, 'tiny', ...names);
    await mkdir(place('default-empty'));
    await mkdir(place('default-junk'));
    await writeFile(place('default-junk', 'notes.txt'), 'mine');
    const people = ['default-empty', 'default-junk', 'default-new'].map((faceid) => filled(faceid));
    assert.deepEqual(await store.addPeople(people), [true, true, true]);
    for (const { faceid, faces } of people) {
      const there = await store.readPerson(faceid, new Set());
      assert.deepEqual([there?.username, there?.faces[0].vector], ['Name', faces[0].vector]);
    }
    assert.ok((await readdir(place('default-junk'))).includes('notes.txt'));
  });

  it('are nobody yet when a crash left them half written, and what it left is removed', async (t) => {
    const folder = await temporaryFolder(t);
    const store = open(folder);
    t.after(() => store.close());
    await store.prepare();
    const place = (...names: string[]) => path.join(folder, 'tiny', ...names);
    for (const name of ['.unfinished-old', '.unfinished-new']) {
      await mkdir(place(name));
      await writeFile(place(name, 'person.json'), '{"username":"Half","metadata":{}}');
    }
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(place('.unfinished-old'), longAgo, longAgo);
    assert.deepEqual(await store.list(), []);
    assert.deepEqual((await store.load()).people, []);
    // Another process may be writing the other one right now.
    assert.deepEqual(await readdir(place()), ['.unfinished-new']);
  });

  it(
    'leave nothing behind when the disk gets full, and others are written afterwards',
    { skip: NO_SMALL_DISK },
    async (t) => {
      const disk = await smallDisk(t);
      const store = open(disk.folder);
      t.after(() => store.close());
      await store.prepare();
      const many = Array.from({ length: 200 }, (_, i) => filled(`default-p${i}`, new Uint8Array(20_000)));
      await assert.rejects(store.addPeople(many), { code: 'ENOSPC' });
      assert.deepEqual(await readdir(path.join(disk.folder, 'tiny')), []);
      assert.deepEqual(await store.addPeople(many.slice(0, 3)), [true, true, true]);
    },
  );
});
