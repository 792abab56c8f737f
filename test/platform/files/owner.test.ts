import assert from 'node:assert/strict';
import { chown, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { createAudit } from '../../../src/access/audit.js';
import { openJournal } from '../../../src/batch/journal.js';
import { loadConfig } from '../../../src/settings/config.js';
import type { GalleryEvent } from '../../../src/events/event.js';
import { createFileLog } from '../../../src/events/file-log.js';
import { createExactIndex } from '../../../src/gallery/index/exact-index.js';
import { encodeNpy } from '../../../src/gallery/store/npy.js';
import { openGallery } from '../../../src/gallery/open.js';
import { makeFolder, writeDurably } from '../../../src/platform/files/durable.js';
import { underLock } from '../../../src/platform/files/lock.js';
import { ensureSelfSigned } from '../../../src/platform/tls.js';
import { runKaomon } from '../../support/command.js';
import { TINY } from '../../support/galleries.js';
import { temporaryFolder } from '../../support/temporary.js';
import { randomUnitVector, seededRandom } from '../../support/vectors.js';

/** Nobody's, as the service's own user. */
const SERVICE = 47_110;
const skip = process.getuid?.() === 0 ? false : 'needs root, who can give files away';

/** What below a folder, and the folder itself, is not the service's. */
async function strangers(folder: string): Promise<string[]> {
  const names = ['.', ...(await readdir(folder, { recursive: true }))];
  const owners = await Promise.all(names.map((name) => lstat(path.join(folder, name))));
  return names.filter((_, i) => owners[i].uid !== SERVICE || owners[i].gid !== SERVICE);
}

describe("what root does in the service's folders", { skip }, () => {
  it("leaves every file the service's: keys, audit, gallery, log of events, settled moves", async (t) => {
    const folder = await temporaryFolder(t);
    await chown(folder, SERVICE, SERVICE);
    const env = { EMBEDDINGS_DIR: path.join(folder, 'embeddings'), CACHE_DIR: path.join(folder, 'cache') };
    const added = await runKaomon(['keys', 'add', 'office', '--role', 'admin'], env);
    assert.equal(added.code, 0, added.text);
    assert.equal((await runKaomon(['keys', 'add', 'door'], env)).code, 0);
    assert.equal((await runKaomon(['keys', 'revoke', 'door'], env)).code, 0);

    const source = await temporaryFolder(t);
    await mkdir(path.join(source, 'staff-ann'));
    const random = seededRandom(5);
    await writeFile(path.join(source, 'staff-ann', 'a.npy'), encodeNpy(randomUnitVector(random, 512)));
    const imported = await runKaomon(['import', source], env);
    assert.equal(imported.code, 0, imported.text);

    const config = { ...loadConfig(env), EMBEDDINGS_DIR: env.EMBEDDINGS_DIR };
    const { gallery } = await openGallery(config, {
      ...{ pack: { id: 'tiny', embedder: { length: TINY } }, index: createExactIndex(TINY), follow: false },
      warn: () => undefined,
    });
    const enrol = (userid: string) =>
      gallery.enrol(
        { groupid: 'default', userid, username: userid, crop: Buffer.alloc(10) },
        randomUnitVector(random, TINY),
      );
    for (const userid of ['a', 'b', 'c']) await enrol(userid);
    await gallery.createPerson({ groupid: 'default', userid: 'd' });
    await gallery.updatePerson('default-a', { username: 'Ann' });
    await gallery.movePerson('default-a', { groupid: 'staff', userid: 'a' });
    await gallery.mergePerson('default-b', 'default-c');
    await gallery.createGroup({ groupid: 'guests', groupname: 'Guests' });
    await gallery.close();
    const log = createFileLog({ folder: path.join(env.EMBEDDINGS_DIR, 'events'), segmentBytes: 300 });
    await log.register('w', await log.start(), 60_000);
    const event: GalleryEvent = {
      ...{ kind: 'updated', uid: 'u', worker: 'w', pack: 'tiny', groupid: 'g' },
      at: '',
    };
    for (let i = 0; i < 5; i++) await log.append(event);
    await log.close();
    assert.deepEqual(await strangers(folder), []);
  });

  it("leaves what can be made again the service's, too", async (t) => {
    const folder = await temporaryFolder(t);
    await chown(folder, SERVICE, SERVICE);
    const place = (name: string) => path.join(folder, name);
    await ensureSelfSigned({ folder: place('tls'), names: ['localhost'], addresses: [] });
    const models = place('models');
    await makeFolder(models);
    await underLock(path.join(models, '.lock'), async () => {
      await writeDurably(path.join(models, 'a.onnx'), '');
      assert.deepEqual(await strangers(models), []);
    });
    (await openJournal(place('batch'), ['a'])).close();
    assert.deepEqual(await strangers(folder), []);
  });

  it('goes on with a file that is somebody else’s as theirs', async (t) => {
    const folder = await temporaryFolder(t);
    const file = path.join(folder, 'audit.jsonl');
    await writeFile(file, '');
    await chown(file, SERVICE, SERVICE);
    const audit = createAudit({ file });
    audit.record({ who: 'x', address: 'command line', action: 'enrol', outcome: 'done' });
    await audit.flush();
    assert.equal((await lstat(file)).uid, SERVICE);
    assert.match(await readFile(file, 'utf8'), /enrol/);
  });
});
