import assert from 'node:assert/strict';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { importFolders } from '../../src/cli/import.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import { encodeNpy } from '../../src/gallery/store/npy.js';
import { temporaryFolder } from '../support/temporary.js';

const LENGTH = 512;
const vector = (seed: number, length = LENGTH) =>
  Float32Array.from({ length }, (_, i) => Math.sin(seed * 100 + i));

async function prepare(t: TestContext, files: Record<string, Uint8Array>) {
  const folder = await temporaryFolder(t);
  const [source, embeddings] = [path.join(folder, 'maiface'), path.join(folder, 'embeddings')];
  await mkdir(source);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(source, name)), { recursive: true });
    await writeFile(path.join(source, name), content);
  }
  const store = createFileStore({
    folder: embeddings,
    ...{ pack: 'facenet', length: LENGTH, warn: () => undefined },
  });
  await store.load();
  t.after(() => store.close());
  return { source, embeddings, store };
}

describe("taking over maiface's vectors", () => {
  it('takes each once, of unit length, under its person and group, and says what it left out', async (t) => {
    const { source, store } = await prepare(t, {
      '1-7/1-7_20230401_101112_aaa.npy': encodeNpy(vector(1)),
      '1-7/b.npy': encodeNpy(vector(2)),
      'staff-ken/c.npy': encodeNpy(vector(3)),
      'staff-ken/short.npy': encodeNpy(vector(3, 128)),
      'staff-ken/zero.npy': encodeNpy(new Float32Array(LENGTH)),
      'staff-ken/torn.npy': encodeNpy(vector(4)).subarray(0, 500),
      'staff-ken/notes.txt': Buffer.from('hello'),
      'no hyphen/d.npy': encodeNpy(vector(5)),
      'README.md': Buffer.from('hello'),
    });
    const report = await importFolders(source, store, { length: LENGTH });
    assert.deepEqual(
      report.leftOut.map(({ file }) => file),
      [
        'README.md',
        'no hyphen',
        'staff-ken/notes.txt',
        'staff-ken/short.npy',
        'staff-ken/torn.npy',
        'staff-ken/zero.npy',
      ],
    );
    assert.match(report.leftOut[3].reason, /holds 128 numbers, this pack 512/);
    assert.deepEqual(
      { ...report, leftOut: [] },
      { people: 2, taken: 3, present: 0, groups: ['1', 'staff'], leftOut: [] },
    );

    const { people, groups } = await store.load();
    assert.equal(store.damage.count(), 0);
    assert.deepEqual(
      people.map(({ faceid, faces }) => [faceid, faces.length]),
      [
        ['1-7', 2],
        ['staff-ken', 1],
      ],
    );
    assert.ok(['1', 'staff'].every((id) => groups.some(({ groupid }) => groupid === id)));
    const [ken] = people[1].faces;
    const expected = vector(3);
    const norm = Math.hypot(...expected);
    assert.ok(ken.vector.every((value, i) => Math.abs(value - expected[i] / norm) < 1e-6));
  });

  it('takes nothing twice', async (t) => {
    const { source, store } = await prepare(t, {
      '1-7/a.npy': encodeNpy(vector(1)),
      '1-7/b.npy': encodeNpy(vector(2)),
    });
    assert.equal((await importFolders(source, store, { length: LENGTH })).taken, 2);
    await writeFile(path.join(source, '1-7', 'c.npy'), encodeNpy(vector(3)));
    const again = await importFolders(source, store, { length: LENGTH });
    assert.deepEqual([again.taken, again.present, again.groups], [1, 2, []]);
    assert.equal((await store.load()).people[0].faces.length, 3);
  });

  it('takes a vector that is here no second time, whatever its file is called and when it was written', async (t) => {
    const { source, store } = await prepare(t, {
      '1-7/a.npy': encodeNpy(vector(1)),
      '1-7/copy of a.npy': encodeNpy(vector(1)),
    });
    await utimes(path.join(source, '1-7', 'a.npy'), 1e9, 1e9);
    assert.equal((await importFolders(source, store, { length: LENGTH })).taken, 1);
    await utimes(path.join(source, '1-7', 'a.npy'), 1.1e9, 1.1e9);
    const again = await importFolders(source, store, { length: LENGTH });
    assert.deepEqual([again.taken, again.present], [0, 2]);
    assert.equal((await store.load()).people[0].faces.length, 1);
  });

  it('writes nothing on a dry run', async (t) => {
    const { source, embeddings, store } = await prepare(t, { '1-7/a.npy': encodeNpy(vector(1)) });
    const report = await importFolders(source, store, { length: LENGTH, dryRun: true });
    assert.deepEqual([report.taken, report.groups], [1, ['1']]);
    assert.deepEqual(await readdir(path.join(embeddings, 'facenet')), []);
  });
});
