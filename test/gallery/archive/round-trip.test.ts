import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { exportGallery } from '../../../src/gallery/archive/export.js';
import { importGallery, type ImportOptions } from '../../../src/gallery/archive/import.js';
import { openZip } from '../../../src/gallery/archive/read-zip.js';
import { createSpool } from '../../../src/gallery/archive/spool.js';
import { createZipWriter } from '../../../src/gallery/archive/write-zip.js';
import { nameFace } from '../../../src/gallery/face-name.js';
import type { LiveGallery } from '../../../src/gallery/gallery.js';
import { everybody, openTiny, TINY } from '../../support/galleries.js';
import { plainBase } from '../../support/plain-base.js';
import { temporaryFolder } from '../../support/temporary.js';
import { randomUnitVector, seededRandom } from '../../support/vectors.js';

const pack = { id: 'tiny', length: TINY };

async function tiny(t: Pick<TestContext, 'after'>): Promise<LiveGallery> {
  const gallery = await openTiny(await temporaryFolder(t));
  t.after(() => gallery.close());
  return gallery;
}

async function exported(t: Pick<TestContext, 'after'>, gallery: LiveGallery, groups?: Set<string>) {
  return buffer(exportGallery({ gallery, pack, folder: await temporaryFolder(t) }, groups));
}

async function imported(
  t: Pick<TestContext, 'after'>,
  gallery: LiveGallery,
  archive: Buffer,
  options?: ImportOptions,
) {
  const file = path.join(await temporaryFolder(t), 'a.zip');
  await writeFile(file, archive);
  const enrol: Parameters<typeof importGallery>[0]['enrol'] = (
    { groupid, userid, id },
    { embedding, crop },
  ) => gallery.enrol({ groupid, userid, id, crop }, embedding);
  return importGallery({ gallery, pack, enrol }, file, options);
}

/** An archive's members by name, but for the manifest's date. */
async function membersOf(t: Pick<TestContext, 'after'>, archive: Buffer): Promise<Map<string, string>> {
  const file = path.join(await temporaryFolder(t), 'm.zip');
  await writeFile(file, archive);
  const zip = await openZip(file);
  const members = new Map<string, string>();
  for (const [name, entry] of zip.names) members.set(name, (await zip.read(entry, 1e9)).toString('base64'));
  for (const [row, entry] of zip.pictures)
    members.set(`pictures/${row}.png`, (await zip.read(entry, 1e9)).toString('base64'));
  await zip.close();
  const manifest = Buffer.from(members.get('manifest.json') ?? '', 'base64').toString();
  return members.set('manifest.json', manifest.replace(/"createdAt": "[^"]*"/, ''));
}

const id = fc.stringMatching(/^[0-9A-Za-z_][0-9A-Za-z_.]{0,10}$/);
const name = fc.oneof(fc.constantFrom('', '山田 花子', 'Zoë', '😀'), fc.string({ maxLength: 20 }));
const value = fc.oneof(name, fc.integer(), fc.boolean(), fc.constant(null));
const faces = fc.array(
  fc.record({ at: fc.integer({ min: 1, max: 4e9 }), automatic: fc.boolean(), picture: fc.boolean() }),
  { maxLength: 4 },
);
const person = fc.record({
  ...{ userid: id, username: name, faces, group: fc.nat(2) },
  corrections: fc.array(fc.boolean(), { maxLength: 3 }),
  metadata: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value, { maxKeys: 3, noNullPrototype: true }),
});

async function fill(gallery: LiveGallery, people: readonly Made[]): Promise<void> {
  const random = seededRandom(7);
  const groups = ['default', 'staff', 'x.1'];
  for (const groupid of groups.slice(1)) await gallery.createGroup({ groupid, groupname: `${groupid} 部` });
  for (const { userid, username, metadata, faces, group, corrections = [] } of people) {
    const groupid = groups[group];
    if (await gallery.person(`${groupid}-${userid}`)) continue;
    const restored = faces.map(({ at, automatic, picture }) => ({
      id: nameFace(`${groupid}-${userid}`, new Date(at * 1000), automatic),
      vector: randomUnitVector(random, TINY),
      ...(picture && { crop: Buffer.from(`a PNG of ${at}`) }),
    }));
    await gallery.restorePeople([{ groupid, userid, username, metadata, faces: restored }]);
    for (const picture of corrections) {
      const crop = picture ? Buffer.from(`a PNG that is not ${userid}'s`) : undefined;
      await gallery.correct(`${groupid}-${userid}`, randomUnitVector(random, TINY), crop);
    }
  }
}
interface Made {
  userid: string;
  username: string;
  metadata: Record<string, string | number | boolean | null>;
  faces: { at: number; automatic: boolean; picture: boolean }[];
  group: number;
  /** Whether each has a picture. */
  corrections?: boolean[];
}

/** So many people, each with a face or two. */
const many = (count: number): Made[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{ userid: `u${i}`, username: `人 ${i}`, metadata: { number: i }, group: i % 3 },
    faces: Array.from({ length: 1 + (i % 2) }, (_face, j) => ({
      ...{ at: 1e9 + i * 10 + j, automatic: false, picture: i % 50 === 0 },
    })),
  }));

describe('a gallery that is exported, imported and exported again', () => {
  it('is the same, byte by byte, whoever is in it', async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(person, { maxLength: 12 }), async (people) => {
        const [from, to] = [await tiny(t), await tiny(t)];
        await fill(from, people);
        const archive = await exported(t, from);
        const { people: taken } = await imported(t, to, archive);
        assert.equal(taken.added, (await everybody(from)).length);
        assert.deepEqual(await everybody(to), await everybody(from));
        assert.deepEqual(to.corrections(), from.corrections());
        assert.deepEqual(await membersOf(t, await exported(t, to)), await membersOf(t, archive));
      }),
      { numRuns: 25 },
    );
  });

  it('is the same with two thousand people, and a second import reads nothing of the store', async (t) => {
    const [from, to] = [await tiny(t), await tiny(t)];
    await fill(from, many(2000));
    const archive = await exported(t, from);
    const told: number[] = [];
    const report = await imported(t, to, archive, {
      progress: ({ people }, of) => told.push(people.added / of.people),
    });
    assert.deepEqual(report.faces, { added: 3000, skipped: 0 });
    assert.equal(told[0], 0);
    assert.equal(told.at(-1), 1);
    assert.deepEqual(await membersOf(t, await exported(t, to)), await membersOf(t, archive));
    let read = 0;
    const counting: LiveGallery = {
      ...to,
      vectors: (faceid) => {
        read += 1;
        return to.vectors(faceid);
      },
    };
    const again = await imported(t, counting, archive);
    assert.deepEqual(
      [again.people, again.faces],
      [
        { added: 0, skipped: 2000 },
        { added: 0, skipped: 3000 },
      ],
    );
    assert.equal(read, 0);
  });

  it('is whole after an import that was broken off and sent again', async (t) => {
    const [from, to] = [await tiny(t), await tiny(t)];
    await fill(from, many(2000));
    const archive = await exported(t, from);
    const gone = new AbortController();
    const stopped = imported(t, to, archive, {
      signal: gone.signal,
      progress: ({ people }) => people.added >= 500 && gone.abort(),
    });
    await assert.rejects(stopped, { code: 'CLIENT_GONE' });
    const there = (await everybody(to)).length;
    assert.ok(there >= 500 && there < 2000, `${there} are there`);
    const { people: counted } = await imported(t, to, archive);
    assert.deepEqual(counted, { added: 2000 - there, skipped: there });
    assert.deepEqual(await membersOf(t, await exported(t, to)), await membersOf(t, archive));
  });

  it('keeps a person of more faces than a line holds', async (t) => {
    const [from, to] = [await tiny(t), await tiny(t)];
    const lots = Array.from({ length: 1050 }, (_, i) => ({ at: 1e9 + i, automatic: false, picture: false }));
    await fill(from, [{ userid: 'eve', username: '', metadata: {}, group: 0, faces: lots }]);
    const archive = await exported(t, from);
    assert.deepEqual((await imported(t, to, archive)).people, { added: 1, skipped: 0 });
    assert.deepEqual(await membersOf(t, await exported(t, to)), await membersOf(t, archive));
  });

  it('takes the vectors of a base from there, and reads the store for those who are newer', async (t) => {
    const from = await tiny(t);
    await fill(from, many(50));
    const people = await Promise.all(
      (await everybody(from)).map(async ({ faceid, username, metadata }) => ({
        ...{ faceid, username, metadata },
        faces: (await from.vectors(faceid)).map(({ face, vector }) => ({ ...face, vector })),
      })),
    );
    await from.rebase(plainBase(people, { groups: from.groups() }));
    await from.updatePerson('default-u0', { username: 'new' });
    const read: string[] = [];
    const counting: LiveGallery = {
      ...from,
      vectors: (faceid) => {
        read.push(faceid);
        return from.vectors(faceid);
      },
    };
    const archive = await exported(t, counting);
    assert.deepEqual(read, ['default-u0']);
    const to = await tiny(t);
    await imported(t, to, archive);
    assert.deepEqual(await membersOf(t, await exported(t, to)), await membersOf(t, archive));
  });

  it('leaves out who is deleted meanwhile', async (t) => {
    const [from, to] = [await tiny(t), await tiny(t)];
    await fill(from, many(60));
    let removed: Promise<unknown> | undefined;
    const leaving: LiveGallery = {
      ...from,
      async vectors(faceid) {
        await (removed ??= from.remove('default', 'u3'));
        return from.vectors(faceid);
      },
    };
    const file = await exported(t, leaving);
    await imported(t, to, file);
    assert.deepEqual(await everybody(to), await everybody(from));
    assert.equal((await everybody(to)).length, 59);
  });
});

describe('what was said to be nobody of a name', () => {
  const wrong = randomUnitVector(seededRandom(3), TINY);
  const other = randomUnitVector(seededRandom(4), TINY);
  const [ada, bob] = [1, 2].map((seed) => randomUnitVector(seededRandom(seed), TINY));

  async function corrected(t: TestContext): Promise<LiveGallery> {
    const gallery = await tiny(t);
    await gallery.createGroup({ groupid: 'staff', groupname: '' });
    await gallery.enrol({ groupid: 'default', userid: 'ada', username: '雪' }, ada);
    await gallery.enrol({ groupid: 'staff', userid: 'bob' }, bob);
    await gallery.correct('default-ada', wrong, Buffer.from('a PNG'));
    await gallery.correct('staff-bob', wrong);
    return gallery;
  }

  it('is heeded after a restore, in every worker and after a restart, and is taken back there', async (t) => {
    const from = await corrected(t);
    const folder = await temporaryFolder(t);
    const to = await openTiny(folder);
    const report = await imported(t, to, await exported(t, from));
    assert.deepEqual(report.corrections, { added: 2, skipped: 0 });
    for (const gallery of [to, await openTiny(folder)]) {
      assert.deepEqual(await gallery.nearest(wrong, 5), []);
      assert.deepEqual(gallery.corrections(), from.corrections());
    }
    const [{ id }] = to.corrections({ faceid: 'default-ada' });
    assert.deepEqual(await to.correctionPicture('default-ada', id), Buffer.from('a PNG'));
    await to.removeCorrection('default-ada', id);
    assert.equal((await (await openTiny(folder)).nearest(wrong, 1))[0].person.faceid, 'default-ada');
  });

  it('comes to people who are there, once, beside what was said of them here', async (t) => {
    const archive = await exported(t, await corrected(t));
    const to = await tiny(t);
    await to.enrol({ groupid: 'default', userid: 'ada' }, ada);
    await to.correct('default-ada', other);
    // The very picture is enrolled here: who enrolled it meant it.
    await to.createGroup({ groupid: 'staff', groupname: '' });
    await to.enrol({ groupid: 'staff', userid: 'bob' }, wrong);
    assert.deepEqual((await imported(t, to, archive)).corrections, { added: 1, skipped: 1 });
    assert.deepEqual((await imported(t, to, archive)).corrections, { added: 0, skipped: 2 });
    assert.equal(to.corrections({ faceid: 'default-ada' }).length, 2);
    assert.equal((await to.nearest(wrong, 1))[0].person.faceid, 'staff-bob');
  });

  it('leaves an archive of groups without it as it ever was, and makes any other one of version 3', async (t) => {
    const gallery = await corrected(t);
    await gallery.createGroup({ groupid: 'guests', groupname: '' });
    const read = async (groups?: string[]) => {
      const members = await membersOf(t, await exported(t, gallery, groups && new Set(groups)));
      return { version: /"version": (\d)/.exec(members.get('manifest.json') ?? '')?.[1], members };
    };
    const guests = await read(['guests']);
    assert.deepEqual([guests.version, guests.members.has('corrections.jsonl')], ['2', false]);
    const staff = await read(['staff']);
    assert.equal(staff.version, '3');
    const lines = Buffer.from(staff.members.get('corrections.jsonl') ?? '', 'base64').toString();
    assert.match(
      lines,
      /^\{"groupid":"staff","userid":"bob","id":"staff-bob_[^\n]*\}\n$/,
      'of its groups alone',
    );
  });

  it('goes from an export when its person is deleted while it is written', async (t) => {
    const gallery = await corrected(t);
    let removed: Promise<unknown> | undefined;
    const leaving: LiveGallery = {
      ...gallery,
      async vectors(faceid) {
        await (removed ??= gallery.remove('default', 'ada'));
        return gallery.vectors(faceid);
      },
    };
    const to = await tiny(t);
    await imported(t, to, await exported(t, leaving));
    assert.deepEqual(
      to.corrections().map(({ faceid }) => faceid),
      ['staff-bob'],
    );
  });
});

describe('a damaged archive', () => {
  it('is refused, or imports what it was, whichever byte was changed', async (t) => {
    const from = await tiny(t);
    await fill(from, many(6));
    const random = seededRandom(9);
    for (const faceid of ['default-u0', 'x.1-u2'])
      await from.correct(faceid, randomUnitVector(random, TINY), Buffer.from('a PNG'));
    const archive = await exported(t, from);
    const whole = await everybody(from);
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const changed = Buffer.from(archive);
        changed[at] ^= by;
        const to = await tiny(t);
        try {
          await imported(t, to, changed);
        } catch (error) {
          assert.match(String((error as { code?: unknown }).code), /^(ARCHIVE_INVALID|OTHER_PACK)$/);
          assert.equal((await everybody(to)).length, 0);
          assert.equal(to.groups().length, 1);
          refused += 1;
          return;
        }
        // A byte that says nothing, as a date.
        assert.deepEqual(await everybody(to), whole);
        assert.deepEqual(to.corrections(), from.corrections());
        for (const { faceid } of from.corrections())
          assert.deepEqual(to.correctionVectors(faceid), from.correctionVectors(faceid));
        for (const { faceid } of whole)
          assert.deepEqual(await to.vectors(faceid), await from.vectors(faceid));
      }),
      { numRuns: 150 },
    );
    assert.ok(refused > 60, `${refused} were refused`);
  });
});

describe('a zip', () => {
  it('is written and read with zip64 where its numbers need it', async (t) => {
    const folder = await temporaryFolder(t);
    const directory = createSpool(folder, 1000);
    const zip = createZipWriter(directory, new Date());
    async function* write() {
      for (let row = 0; row < 70_000; row++) yield* zip.add(`pictures/${row}.png`, Buffer.from(String(row)));
      yield* zip.add('manifest.json', Buffer.from('{}'));
      yield* zip.end();
    }
    const file = path.join(folder, 'large.zip');
    await writeFile(file, Readable.from(write()));
    await directory.close();
    const read = await openZip(file);
    assert.equal(read.pictures.size, 70_000);
    assert.equal((await read.read(read.pictures.get(69_999) ?? -1, 100)).toString(), '69999');
    assert.equal((await read.read(read.names.get('manifest.json') ?? -1, 100)).toString(), '{}');
    await read.close();
  });
});
