import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { loadConfig } from '../../src/settings/config.js';
import {
  createTicker,
  exportArchive,
  importArchive,
  openGalleryBeside,
} from '../../src/cli/shared/archive.js';
import { archiveOf, EVE, FACE } from '../support/archives.js';
import { readAudit } from '../support/audit-lines.js';
import { temporaryFolder } from '../support/temporary.js';

async function prepare(t: TestContext, archive: Buffer) {
  const folder = await temporaryFolder(t);
  const config = loadConfig({ EMBEDDINGS_DIR: path.join(folder, 'embeddings'), CACHE_DIR: folder });
  const file = path.join(folder, 'a.zip');
  await writeFile(file, archive);
  return { config, file, signal: new AbortController().signal };
}

describe('kaomon export FILE.zip', () => {
  it('writes what import takes, and tells the audit how it began and ended', async (t) => {
    const { config, file, signal } = await prepare(t, archiveOf());
    await importArchive(file, config, signal);
    const what = { pack: { id: 'tiny', length: 4 }, groups: undefined };
    const copy = `${file}.copy`;
    await exportArchive(copy, config, what, signal);
    assert.deepEqual((await importArchive(copy, config, signal)).people, { added: 0, skipped: 1 });
    await assert.rejects(exportArchive(copy, config, what, signal), { code: 'SETUP', message: /already/ });
    await assert.rejects(exportArchive(`${file}.no`, config, what, AbortSignal.abort()), {
      name: 'AbortError',
    });
    const lines = (await readAudit({ config })).filter(({ action }) => action === 'export');
    assert.deepEqual(
      lines.map(({ outcome }) => outcome),
      ['begun', 'done', 'begun', 'failed', 'begun', 'aborted'],
    );
  });
});

describe('kaomon import FILE.zip', () => {
  it('fills the gallery of the pack that made the vectors', async (t) => {
    const { config, file, signal } = await prepare(t, archiveOf());
    assert.deepEqual((await importArchive(file, config, signal)).people, { added: 1, skipped: 0 });
    assert.deepEqual((await importArchive(file, config, signal)).people, { added: 0, skipped: 1 });
    const gallery = await openGalleryBeside(config, { id: 'tiny', length: 4 });
    assert.deepEqual(
      (await gallery.vectors('default-eve')).map(({ face }) => face.id),
      [FACE],
    );
    await gallery.close();
  });

  it('refuses what the server refuses, and a pack that leads out of the folder', async (t) => {
    for (const archive of [
      archiveOf({ people: [EVE, EVE] }),
      archiveOf({ manifest: { pack: '../tiny' } }),
      Buffer.from('PK'),
    ]) {
      const { config, file, signal } = await prepare(t, archive);
      await assert.rejects(importArchive(file, config, signal), { code: 'ARCHIVE_INVALID' });
    }
  });

  it('says how many of how many, and how fast', () => {
    const lines: string[] = [];
    const tick = createTicker('people', { write: (line: string) => lines.push(line) > 0 });
    tick(10, 100);
    tick(20, 100);
    tick(100, 100, true);
    assert.match(
      lines.join(''),
      /^ {2}10 of 100 people, \d+ a second\n {2}100 of 100 people, \d+ a second\n$/,
    );
  });
});
