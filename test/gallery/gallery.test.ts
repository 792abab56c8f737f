import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import { createGallery } from '../../src/gallery/gallery.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { decodeNpy, encodeNpy } from '../../src/gallery/store/npy.js';
import type { Gallery } from '../../src/gallery/types.js';
import { openTiny, TINY } from '../support/galleries.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';
import { everybody } from '../support/galleries.js';

const LENGTH = TINY;
const random = seededRandom(1);
const vector = () => randomUnitVector(random, LENGTH);

async function open(
  folder: string,
  options: { pack?: string; warn?: (message: string) => void } = {},
): Promise<Gallery> {
  return openTiny(folder, { ...options, templates: false });
}

async function emptyGallery(t: TestContext): Promise<{ folder: string; gallery: Gallery }> {
  const folder = await temporaryFolder(t);
  return { folder, gallery: await open(folder) };
}

describe('the gallery', () => {
  it('knows nobody at first and has a group to begin with', async (t) => {
    const { gallery } = await emptyGallery(t);
    assert.deepEqual(await gallery.nearest(vector(), 1), []);
    assert.deepEqual(gallery.groups(), [{ groupid: 'default', groupname: 'Default' }]);
  });

  it('finds an enrolled person, and still does after a restart', async (t) => {
    const { folder, gallery } = await emptyGallery(t);
    const hers = vector();
    await gallery.enrol({ groupid: 'default', userid: 'yuki_1', username: '雪' }, hers);
    await gallery.enrol({ groupid: 'default', userid: 'ken.2' }, vector());
    for (const opened of [gallery, await open(folder)]) {
      const [match] = await opened.nearest(hers, 1);
      assert.equal(match.person.faceid, 'default-yuki_1');
      assert.equal(match.person.username, '雪');
      assert.ok(match.distance < 1e-6);
      assert.deepEqual(
        (await everybody(opened)).map(({ userid, username }) => [userid, username]),
        [
          ['ken.2', 'ken.2'],
          ['yuki_1', '雪'],
        ],
      );
    }
  });

  it('answers each person once, however many pictures are nearest', async (t) => {
    const { gallery } = await emptyGallery(t);
    const hers = vector();
    for (let i = 0; i < 9; i++) await gallery.enrol({ groupid: 'default', userid: 'a' }, hers);
    await gallery.enrol({ groupid: 'default', userid: 'b' }, vector());
    const matches = await gallery.nearest(hers, 3);
    assert.deepEqual(
      matches.map(({ person }) => person.userid),
      ['a', 'b'],
    );
  });

  it('forgets a deleted person, also after a restart', async (t) => {
    const { folder, gallery } = await emptyGallery(t);
    const hers = vector();
    await gallery.enrol({ groupid: 'default', userid: 'a' }, hers);
    await gallery.remove('default', 'a');
    assert.deepEqual(await gallery.nearest(hers, 1), []);
    assert.deepEqual(await everybody(await open(folder)), []);
    await assert.rejects(gallery.remove('default', 'a'), { code: 'PERSON_UNKNOWN', statusCode: 404 });
  });

  it('refuses ids that could leave the folder, and groups that are not there', async (t) => {
    const { folder, gallery } = await emptyGallery(t);
    for (const userid of ['../x', '..', '.hidden', 'a/b', 'a-b', '', 'x'.repeat(65), 'ü']) {
      await assert.rejects(gallery.enrol({ groupid: 'default', userid }, vector()), {
        code: 'USERID_INVALID',
      });
      await assert.rejects(gallery.remove(userid, 'a'), { code: 'GROUPID_INVALID' });
    }
    await assert.rejects(gallery.enrol({ groupid: 'nobody', userid: 'a' }, vector()), {
      code: 'GROUP_UNKNOWN',
    });
    assert.deepEqual(await readdir(path.join(folder, 'tiny')), []);
  });

  it('makes groups that last, each once', async (t) => {
    const { folder, gallery } = await emptyGallery(t);
    await gallery.createGroup({ groupid: 'staff', groupname: '社員' });
    await assert.rejects(gallery.createGroup({ groupid: 'staff', groupname: 'again' }), {
      code: 'GROUP_EXISTS',
    });
    await assert.rejects(gallery.createGroup({ groupid: 'a-b', groupname: '' }), { code: 'GROUPID_INVALID' });
    assert.deepEqual((await open(folder)).groups().at(-1), { groupid: 'staff', groupname: '社員' });
  });

  it('writes files that NumPy reads, under the person and the time', async (t) => {
    const { folder, gallery } = await emptyGallery(t);
    const hers = vector();
    const face = await gallery.enrol({ groupid: 'default', userid: 'a' }, hers);
    assert.match(face.id, /^default-a_\d{8}_\d{6}_m[0-9a-f]+$/);
    const file = await readFile(path.join(folder, 'tiny', 'default-a', `${face.id}.npy`));
    assert.deepEqual(decodeNpy(file), hers);
  });

  it('sets a damaged file aside with a warning and starts with the rest', async (t) => {
    const { folder, gallery } = await emptyGallery(t);
    const hers = vector();
    await gallery.enrol({ groupid: 'default', userid: 'a' }, hers);
    const person = path.join(folder, 'tiny', 'default-a');
    await writeFile(path.join(person, 'default-a_20250101_000000_mbad.npy'), 'garbage');
    await writeFile(
      path.join(person, 'default-a_20250101_000000_mlong.npy'),
      encodeNpy(new Float32Array(9).fill(1)),
    );
    await writeFile(path.join(person, 'default-a_20250101_000000_mzero.npy'), encodeNpy(new Float32Array(8)));
    const unfinished = path.join(person, '.unfinished-123');
    await writeFile(unfinished, 'half');
    // A new one may be another worker's, which is writing it at this moment.
    await utimes(unfinished, new Date(0), new Date(0));
    await writeFile(path.join(person, 'notes.txt'), 'kept');
    const warnings: string[] = [];
    const again = await open(folder, { warn: (message) => warnings.push(message) });
    assert.equal((await again.nearest(hers, 1))[0].person.userid, 'a');
    assert.equal(again.info().setAside, 3);
    assert.equal(warnings.length, 3);
    assert.equal((await readdir(path.join(folder, 'set-aside', 'tiny', 'default-a'))).length, 3);
    assert.deepEqual((await readdir(person)).filter((name) => !name.endsWith('.npy')).sort(), [
      'notes.txt',
      'person.json',
    ]);
  });

  it("keeps and counts another pack's faces without comparing them", async (t) => {
    const { folder, gallery } = await emptyGallery(t);
    const hers = vector();
    await gallery.enrol({ groupid: 'default', userid: 'a' }, hers);
    const other = await open(folder, { pack: 'other' });
    assert.deepEqual(await other.nearest(hers, 1), []);
    assert.deepEqual(other.info().otherPacks, { tiny: 1 });
    assert.equal((await open(folder)).info().faces, 1);
  });

  it('says so, and stays as it was, when it cannot write', async (t) => {
    // A file where the folder should be: refused to root as well. (Not /proc: Node's recursive mkdir never returns there.)
    const folder = path.join(await temporaryFolder(t), 'occupied');
    await writeFile(folder, '');
    const store = createFileStore({
      folder,
      pack: 'x',
      length: LENGTH,
      warn: () => undefined,
    });
    const groups = [{ groupid: 'g', groupname: 'G' }];
    const contents = { groups, people: [], otherPacks: {}, setAside: 0 };
    const gallery = await createGallery({
      pack: 'x',
      store: { ...store, load: () => Promise.resolve(contents), readGroups: () => Promise.resolve(groups) },
      index: createExactIndex(LENGTH),
    });
    await assert.rejects(gallery.enrol({ groupid: 'g', userid: 'a' }, vector()), {
      code: 'STORE_UNAVAILABLE',
      statusCode: 503,
      retryAfter: 5,
    });
    assert.deepEqual(await everybody(gallery), []);
  });

  it('loses nothing that was acknowledged when it is killed', async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(folder, { recursive: true });
    const script = fileURLToPath(new URL('../support/enrol-for-ever.js', import.meta.url));
    const child: ChildProcess = spawn(process.execPath, [script, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const acknowledged = new Set<string>();
    const removed = new Set<string>();
    assert.ok(child.stdout);
    for await (const line of createInterface({ input: child.stdout })) {
      const [verb, userid] = line.split(' ');
      (verb === 'enrolled' ? acknowledged : removed).add(userid);
      if (acknowledged.size === 60) child.kill('SIGKILL');
    }
    const known = new Set((await everybody(await open(folder))).map(({ userid }) => userid));
    for (const userid of acknowledged)
      if (!removed.has(userid)) assert.ok(known.has(userid) || isNext(userid, removed), userid);
    for (const userid of removed) assert.ok(!known.has(userid), userid);
  });
});

/** The person after the last acknowledged deletion may be deleted without the word having got out. */
function isNext(userid: string, removed: Set<string>): boolean {
  return Number(userid.slice(1)) === removed.size * 3;
}
