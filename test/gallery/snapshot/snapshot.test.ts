import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { segmentsRefusal } from '../../../src/gallery/base/segments-addon.js';
import { nameFace } from '../../../src/gallery/face-name.js';
import { numberedFolder, openNewest, type Snapshot } from '../../../src/gallery/snapshot/catalogue.js';
import { MANIFEST, PEOPLE, VECTORS } from '../../../src/gallery/snapshot/format.js';
import { encodeNpy } from '../../../src/gallery/store/npy.js';
import { createFileStore } from '../../../src/gallery/store/file-store.js';
import { templateOf } from '../../../src/gallery/templates.js';
import { LENGTH, snapshotted } from '../../support/snapshots.js';

type Gallery = Awaited<ReturnType<typeof snapshotted>>;

function missing(message = 'It is missing.'): never {
  throw new Error(message);
}

async function open(gallery: Gallery): Promise<Snapshot> {
  const found = await gallery.newest();
  assert.ok(found, gallery.warnings.join('\n'));
  return found;
}

/** The vectors of a snapshot's file. */
async function rowsOf({ folder }: Snapshot): Promise<Float32Array[]> {
  const { buffer, byteOffset, length } = await readFile(path.join(folder, VECTORS));
  const numbers = new Float32Array(buffer.slice(byteOffset, byteOffset + length));
  return Array.from({ length: numbers.length / LENGTH }, (_, i) =>
    numbers.slice(i * LENGTH, (i + 1) * LENGTH),
  );
}

/** Everybody of a snapshot with their vectors, as the store has them. */
async function everyone(snapshot: Snapshot) {
  const { people } = snapshot;
  const rows = await rowsOf(snapshot);
  return Array.from({ length: people.people }, (_, at) => {
    const { faceid, username, metadata, consent, faces, rows: own } = people.personAt(at);
    const vectors = rows.slice(own.first, own.end);
    const template = vectors.length > faces.length ? vectors.at(-1) : undefined;
    assert.deepEqual(template, templateOf(vectors.slice(0, faces.length)), faceid);
    for (let row = own.first; row < own.end; row++) assert.equal(people.ownerOf(row), at);
    const stored = faces.map((face, i) => ({ ...face, vector: vectors[i] }));
    return { faceid, username, metadata, consent, faces: stored };
  });
}

async function assertAsStored(gallery: Gallery): Promise<Snapshot> {
  const snapshot = await open(gallery);
  const { people, groups } = await gallery.store.load();
  assert.deepEqual(
    await everyone(snapshot),
    // A start reads corrections from the store itself.
    people.map(({ faceid, username, metadata, consent, faces }) => {
      return { faceid, username, metadata, consent, faces };
    }),
  );
  assert.deepEqual(snapshot.people.storedGroups, groups);
  return snapshot;
}

/** People of every kind, in groups whose IDs begin alike. */
async function fill(gallery: Gallery): Promise<void> {
  const { store } = gallery;
  const addFace: Gallery['addFace'] = (...words) => gallery.addFace(...words);
  await store.createPerson('a-none', {
    ...{ username: '', metadata: {} },
    consent: { given: '2024-05-02', how: 'verbal', by: 'office' },
  });
  await store.createPerson('a-meta', {
    username: '髙橋 花子',
    metadata: { desk: 7, floor: '3', in: true, x: null },
    consent: { given: '2024-05-02', how: 'form', note: '棚', until: '2034-05-01', by: 'office' },
  });
  for (const groupid of ['a', 'a.b', 'a_b', 'A', '0', 'aa']) {
    await addFace(`${groupid}-one`, { username: `${groupid} 田中 太郎`, crop: true });
    await addFace(`${groupid}-Two.x`);
    await addFace(`${groupid}-Two.x`);
    await addFace(`${groupid}-three_`);
    await addFace(`${groupid}-three_`, { crop: true });
    await addFace(`${groupid}-three_`);
  }
  const one = await addFace('opposite-x');
  await addFace('opposite-x', { vector: one.vector.map((value) => -value) });
}

describe('a snapshot', () => {
  it(
    'gets the lists that the one before lacks, though nobody has changed',
    { skip: segmentsRefusal() ?? false },
    async (t) => {
      const gallery = await snapshotted(t);
      for (const userid of ['a', 'b', 'c']) await gallery.addFace(`default-${userid}`);
      const without = await gallery.make({ listsFrom: 2, place: { ...gallery.place, lists: false } });
      assert.equal((await gallery.newest())?.manifest.lists, undefined);
      const second = await gallery.make({ listsFrom: 2 });
      assert.deepEqual([second.isNew, second.changed], [true, 0]);
      assert.ok(second.number > without.number);
      assert.ok((await gallery.newest())?.manifest.lists);
      assert.equal((await gallery.make({ listsFrom: 2 })).isNew, false);
    },
  );

  it('holds everybody as the store does, in order, with templates', async (t) => {
    const gallery = await snapshotted(t);
    await fill(gallery);
    await gallery.store.createGroup({ groupid: 'a', groupname: '第一 "営業部"' });
    const report = await gallery.make();
    const { people } = await assertAsStored(gallery);
    assert.deepEqual(
      { ...report, seconds: 0, number: 0 },
      {
        ...{ number: 0, isNew: true, people: 21, faces: 38, changed: 21, gone: 0, seconds: 0 },
      },
    );
    assert.equal(people.people, 21);
    assert.equal(people.faces, 38);
    assert.equal(people.number, report.number);
    assert.equal(people.position, await gallery.log.start());
    assert.deepEqual([...people.groups().keys()], ['0', 'A', 'a', 'a.b', 'a_b', 'aa', 'opposite']);
    for (const [groupid, group] of people.groups()) {
      for (let at = 0; at < people.people; at++) {
        const isIn = at >= group.people.first && at < group.people.end;
        assert.equal(people.faceidAt(at).startsWith(`${groupid}-`), isIn);
      }
      assert.equal(group.rows.first, people.personAt(group.people.first).rows.first);
      assert.equal(group.rows.end, people.personAt(group.people.end - 1).rows.end);
    }
    assert.equal(people.groups().get('a')?.faces, 6);
  });

  it('of nobody is one, too', async (t) => {
    const gallery = await snapshotted(t);
    await gallery.make();
    const { people } = await assertAsStored(gallery);
    assert.deepEqual(
      [people.people, people.rows, people.indexOf('a-b'), people.find('', 0, 0)],
      [0, 0, -1, -1],
    );
    await gallery.addFace('a-b');
    await gallery.make();
    await assertAsStored(gallery);
  });

  it('finds people by ID and by a part of the name', async (t) => {
    const gallery = await snapshotted(t);
    await fill(gallery);
    await gallery.make();
    const { people } = await open(gallery);
    const all = Array.from({ length: people.people }, (_, at) => people.faceidAt(at));
    assert.deepEqual(all, [...all].sort());
    for (const [at, faceid] of all.entries()) {
      assert.equal(people.indexOf(faceid), at);
      assert.equal(people.firstFrom(faceid), at);
      assert.equal(people.firstFrom(`${faceid}0`), at + 1);
      assert.equal(people.indexOf(`${faceid}0`), -1);
      assert.equal(people.indexOf(faceid.slice(0, -1)), -1);
    }
    assert.deepEqual([people.firstFrom(''), people.firstFrom('zzz'), people.firstFrom('花')], [0, 21, 21]);
    const found = (key: string, from = 0, end = people.people) => {
      const ids: string[] = [];
      for (let at = from; (at = people.find(key, at, end)) >= 0; at += 1) ids.push(people.faceidAt(at));
      return ids;
    };
    assert.deepEqual(found('高橋'), []);
    assert.deepEqual(found('髙橋'), ['a-meta']);
    assert.equal(found('田中').length, 6);
    assert.equal(found('two.x').length, 6);
    assert.deepEqual(found(''), all);
    const first = people.indexOf('a-one');
    assert.deepEqual([found('田中', first, first + 1), found('田中', first + 1, first + 2)], [['a-one'], []]);
    assert.deepEqual([found('none\0none'), found('none\n')], [[], []]);
    assert.throws(() => people.personAt(people.people), RangeError);
    assert.throws(() => people.ownerOf(people.rows), RangeError);
  });

  it('is copied from the one before, but for who has changed', async (t) => {
    const gallery = await snapshotted(t);
    await fill(gallery);
    const first = await gallery.make();
    assert.equal((await gallery.make()).isNew, false);
    await gallery.addFace('a-one');
    await gallery.addFace('b-new', { username: 'ベン' });
    await gallery.store.savePerson('A-one', { username: '鈴木', metadata: { n: 1 } });
    await gallery.store.removePerson('0-one');
    await gallery.store.movePerson('aa-one', 'z-one');
    const second = await gallery.make();
    assert.deepEqual([second.changed, second.gone, second.isNew], [4, 2, true]);
    assert.ok(second.number > first.number);
    await assertAsStored(gallery);
  });
});

describe('what was changed by hand while no server ran is found', () => {
  const CHANGES: Record<string, (gallery: Gallery, folder: string) => Promise<unknown>> = {
    'a vector that was laid in': (gallery, folder) =>
      writeFile(
        path.join(folder, 'a-one', `${nameFace('a-one', new Date(0), false)}.npy`),
        encodeNpy(gallery.vector()),
      ),
    'a vector that was written over': async (gallery, folder) => {
      const names = await readdir(path.join(folder, 'a-three_'));
      const name = names.filter((one) => one.endsWith('.npy'))[1];
      await writeFile(path.join(folder, 'a-three_', name), encodeNpy(gallery.vector()));
    },
    'one written over, with the date of the old one': async (gallery, folder) => {
      const names = await readdir(path.join(folder, 'a-three_'));
      const file = path.join(folder, 'a-three_', names.filter((one) => one.endsWith('.npy'))[1]);
      const { atime, mtime } = await stat(file);
      await writeFile(file, encodeNpy(gallery.vector()));
      await utimes(file, atime, mtime);
    },
    'a vector that was removed': async (_gallery, folder) => {
      const names = await readdir(path.join(folder, 'a-three_'));
      await rm(path.join(folder, 'a-three_', names.find((one) => one.endsWith('.npy')) ?? ''));
    },
    'a folder that was removed': (_gallery, folder) => rm(path.join(folder, 'a-one'), { recursive: true }),
    'a name that was written over': (_gallery, folder) =>
      writeFile(path.join(folder, 'a-one', 'person.json'), '{"username":"新しい名前","metadata":{}}'),
    'a group': (gallery) =>
      writeFile(path.join(gallery.folder, 'groups', 'x.json'), '{"groupname":"X","made":"2026"}'),
  };
  for (const [what, change] of Object.entries(CHANGES)) {
    it(what, async (t: TestContext) => {
      const gallery = await snapshotted(t);
      await fill(gallery);
      await gallery.make();
      assert.notEqual((await open(gallery)).people.stampAt(0).changed, 0);
      await change(gallery, path.join(gallery.folder, 'tiny'));
      const { isNew, changed, gone } = await gallery.make();
      assert.equal(isNew, true);
      assert.ok(changed + gone <= 2);
      await assertAsStored(gallery);
    });
  }

  it('and who was changed just before is read again, because two changes may have the same date', async (t) => {
    const gallery = await snapshotted(t);
    await gallery.addFace('a-one');
    await gallery.make({ settled: 60_000 });
    assert.equal((await open(gallery)).people.stampAt(0).changed, 0);
    await gallery.addFace('b-one');
    await gallery.make();
    assert.notEqual((await open(gallery)).people.stampAt(0).changed, 0);
  });

  it('also somebody whom only another pack has', async (t) => {
    const gallery = await snapshotted(t);
    await gallery.addFace('a-one');
    await gallery.make();
    const other = createFileStore({ folder: gallery.folder, pack: 'other', length: 4, warn: missing });
    await other.prepare();
    await other.createPerson('a-other', { username: 'よそ', metadata: {} });
    await gallery.make();
    await assertAsStored(gallery);
    await other.savePerson('a-other', { username: '別の', metadata: {} });
    await gallery.make();
    await assertAsStored(gallery);
  });
});

describe('what is deleted', () => {
  const holds = async (gallery: Gallery, vector: Float32Array) => {
    const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
    const found: string[] = [];
    for (const entry of await readdir(path.join(gallery.folder, 'snapshots'), {
      recursive: true,
      withFileTypes: true,
    })) {
      const file = path.join(entry.parentPath, entry.name);
      if (entry.isFile() && (await readFile(file)).includes(bytes)) found.push(file);
    }
    return found.length > 0;
  };

  it('is in no snapshot once the next one is made: a person, a face, their template', async (t) => {
    const gallery = await snapshotted(t);
    await fill(gallery);
    const { face, vector } = await gallery.addFace('a-two');
    const { vector: other } = await gallery.addFace('a-two');
    const both = templateOf([vector, other]) ?? missing();
    await gallery.make();
    await gallery.addFace('b-x');
    await gallery.make();
    assert.equal((await gallery.names()).length, 2);
    assert.deepEqual([await holds(gallery, vector), await holds(gallery, both)], [true, true]);
    await gallery.store.removeFace(face);
    await gallery.make();
    assert.deepEqual([await holds(gallery, vector), await holds(gallery, both)], [false, false]);
    assert.equal((await gallery.names()).length, 1);
    assert.equal(await holds(gallery, other), true);
    await gallery.store.removePerson('a-two');
    await gallery.make();
    assert.equal(await holds(gallery, other), false);
  });

  it('is thrown away with the snapshots of a pack that no server runs with', async (t) => {
    const gallery = await snapshotted(t);
    const other = { ...gallery.place, pack: 'other' };
    const store = createFileStore({
      folder: gallery.folder,
      pack: 'other',
      length: LENGTH,
      warn: missing,
    });
    const { face, vector } = await gallery.addFace('a-one');
    await gallery.addFace('a-two');
    await store.addFace(face, vector, {});
    const { number } = await gallery.make({ place: other, store });
    await gallery.make();
    await gallery.store.removePerson('a-two');
    await gallery.make();
    assert.ok(await stat(numberedFolder(other, number)));
    await gallery.store.removePerson('a-one');
    await gallery.make();
    await assert.rejects(stat(numberedFolder(other, number)), { code: 'ENOENT' });
    assert.equal(await holds(gallery, vector), false);
  });
});

/** The files of a folder, and what puts them back with one that differs. */
async function keep(folder: string) {
  const names = await readdir(folder);
  const files = new Map<string, Buffer>();
  for (const name of names) files.set(name, await readFile(path.join(folder, name)));
  return {
    files,
    /** @param bytes undefined: the file is missing */
    restore: async (differs: string, bytes: Buffer | undefined) => {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder);
      for (const [name, as] of files) {
        const written = name === differs ? bytes : as;
        if (written) await writeFile(path.join(folder, name), written);
      }
    },
  };
}

describe('a damaged snapshot is thrown away, and the one before is used', () => {
  async function two(t: TestContext) {
    const gallery = await snapshotted(t);
    await gallery.addFace('a-one');
    const before = await gallery.make();
    await gallery.addFace('a-two', { username: '花' });
    await gallery.addFace('a-two');
    const { number } = await gallery.make();
    const folder = numberedFolder(gallery.place, number);
    return { gallery, folder, before: before.number, number, ...(await keep(folder)) };
  }

  it('with any bit of it turned over', async (t) => {
    const { gallery, folder, before, number, files, restore } = await two(t);
    for (const name of [MANIFEST, PEOPLE]) {
      const bytes = files.get(name);
      assert.ok(bytes);
      for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed[at] ^= 1 << (at % 8);
        await restore(name, changed);
        const found = await gallery.newest();
        // But for the end of the line.
        if (name !== MANIFEST || at < bytes.length - 1) assert.equal(found?.number, before, `${name} ${at}`);
      }
    }
    await restore('', undefined);
    assert.equal((await gallery.newest())?.number, number);
    await rm(folder, { recursive: true });
  });

  it('cut at any byte, or without one of its files', async (t) => {
    const { gallery, before, number, files, restore } = await two(t);
    for (const [name, bytes] of files) {
      await restore(name, undefined);
      assert.equal((await gallery.newest())?.number, before, name);
      for (let length = 0; length < bytes.length; length++) {
        await restore(name, bytes.subarray(0, length));
        const found = await gallery.newest();
        if (name === MANIFEST && length === bytes.length - 1) assert.equal(found?.number, number);
        else assert.equal(found?.number, before, `${name} ${length}`);
      }
    }
    await restore(PEOPLE, Buffer.alloc(0));
    await gallery.make();
    await assertAsStored(gallery);
  });

  it('with a vector that differs, as soon as the next one is made', async (t) => {
    const { gallery, number, files, restore } = await two(t);
    const vectors = Buffer.from(files.get(VECTORS) ?? []);
    vectors[5] ^= 0x10;
    await restore(VECTORS, vectors);
    const made = await gallery.make();
    assert.ok(made.number > number);
    await assertAsStored(gallery);
    assert.match(gallery.warnings.join('\n'), /damaged \(the checksum of vectors\.f32 differs\)/);
  });

  it('unless it is of another pack, or another version wrote it: then it is passed over', async (t) => {
    const { gallery, number } = await two(t);
    const { place } = gallery;
    for (const other of [{ length: 9 }, { templates: false }, { log: 'redis' as const }])
      assert.equal(await openNewest({ ...place, ...other }, missing), undefined);
    assert.equal((await gallery.newest())?.number, number);
  });
});
