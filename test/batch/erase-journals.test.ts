import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { createJournalEraser } from '../../src/batch/erase-journals.js';
import { openJournal } from '../../src/batch/journal.js';
import { temporaryFolder } from '../support/temporary.js';

const item = (userid: string) => ({ groupid: 'default', userid, name: `${userid}.jpg`, file: 'x.jpg' });
const faceOf = (userid: string, n = 0) => `default-${userid}_20260131_09000${n}_m0123456789`;
const person = (userid: string, ids: string[]) => ({
  faceid: `default-${userid}`,
  faces: ids.map((id) => ({
    ...{ id, faceid: `default-${userid}`, enrolledAt: '', automatic: false, hasPicture: false },
  })),
});

describe('journals of batches', () => {
  it('hold no names, know them again, and lose those of an earlier version', async (t) => {
    const folder = await temporaryFolder(t);
    const journal = await openJournal(folder, ['place']);
    const entry = { outcome: 'enrolled', face: faceOf('ann') } as const;
    journal.add(item('ann'), 'h', { ...entry, named: journal.mark('Ann 杏') });
    journal.close();
    const before = await readFile(journal.file, 'utf8');
    assert.doesNotMatch(before, /Ann|杏/);
    const found = before.trim();
    const line = JSON.parse(found) as Record<string, unknown>;
    delete line.named;
    await writeFile(journal.file, `${JSON.stringify({ ...line, username: 'Ann 杏' })}\n`);
    const again = await openJournal(folder, ['place']);
    t.after(() => again.close());
    assert.doesNotMatch(await readFile(journal.file, 'utf8'), /Ann|杏/);
    const known = again.find(item('ann'), 'h');
    assert.ok(known && known.outcome !== 'refused');
    assert.equal(known.named, again.mark('Ann 杏'));
    assert.notEqual(known.named, again.mark('Ann'));
  });

  it('lose whoever is deleted, also under the ID before a move, and nobody else', async (t) => {
    const folder = await temporaryFolder(t);
    const journal = await openJournal(folder, ['place']);
    for (const [i, userid] of ['ann', 'bea', 'ann_2'].entries())
      journal.add(item(userid), 'h', { outcome: 'enrolled', face: faceOf(userid, i) });
    journal.add(item('cho'), 'h', { outcome: 'refused', code: 'NO_FACE', message: 'No face.' });
    journal.close();
    const eraser = createJournalEraser(folder);
    // Bea was moved since; both deletions share a reading.
    const moved = `staff-bee${faceOf('bea', 1).slice('default-bea'.length)}`;
    const [ann, bee] = await Promise.all([
      eraser.before?.([person('ann', [])]),
      eraser.before?.([{ ...person('bea', [moved]), faceid: 'staff-bee' }]),
    ]);
    assert.equal((ann?.journalLines ?? 0) + (bee?.journalLines ?? 0) >= 2, true);
    const left = (await readFile(journal.file, 'utf8')).trim().split('\n');
    assert.deepEqual(
      left.map((text) => (JSON.parse(text) as { face?: string; code?: string }).face ?? 'refused'),
      [faceOf('ann_2', 2), 'refused'],
    );
    assert.deepEqual(await createJournalEraser(path.join(folder, 'none')).before?.([person('ann', [])]), {});
  });
});
