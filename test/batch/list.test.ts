import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { listPictures } from '../../src/batch/list.js';
import { KaomonError } from '../../src/errors.js';
import { temporaryFolder } from '../support/temporary.js';

async function folderOf(t: TestContext, ...files: string[]): Promise<string> {
  const folder = await temporaryFolder(t);
  for (const file of files) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), '');
  }
  return folder;
}

async function listed(place: string, group = 'default') {
  const { items, refused, otherFiles } = await listPictures(place, group);
  return {
    items: items.map(({ groupid, userid, username, name }) =>
      [groupid, userid, username ?? '', name].join(' '),
    ),
    refused: refused.map(({ name, error }) => `${name} ${error.code}`),
    otherFiles,
  };
}

const setup = (says: RegExp) => (error: unknown) =>
  error instanceof KaomonError && error.code === 'SETUP' && says.test(error.message);

describe('The list of a batch', () => {
  it('takes a folder per person', async (t) => {
    const folder = await folderOf(
      t,
      'b/2.JPG',
      'a/1.jpeg',
      'a/notes.txt',
      '.hidden/1.jpg',
      'a/.cut.jpg',
      'loose.png',
    );
    assert.deepEqual(await listed(folder, 'staff'), {
      items: ['staff a  a/1.jpeg', 'staff b  b/2.JPG'],
      refused: ['loose.png FIELD_MISSING'],
      otherFiles: 1,
    });
  });

  it('takes a folder per group with folders of people', async (t) => {
    const folder = await folderOf(t, 'g1/a/1.jpg', 'g1/b/2024/1.jpg', 'g2/a/1.jpg');
    assert.deepEqual((await listed(folder)).items, [
      'g1 a  g1/a/1.jpg',
      'g1 b  g1/b/2024/1.jpg',
      'g2 a  g2/a/1.jpg',
    ]);
  });

  it('guesses nothing where both are mixed', async (t) => {
    const folder = await folderOf(t, 'a/1.jpg', 'b/2024/1.jpg');
    await assert.rejects(listPictures(folder, 'default'), setup(/a\/1\.jpg.*b\/2024\/1\.jpg/));
  });

  it('refuses names that are no IDs one by one', async (t) => {
    const folder = await folderOf(t, 'Ann Lee/1.jpg', 'bob/1.jpg');
    const { items, refused } = await listed(folder);
    assert.deepEqual(items, ['default bob  bob/1.jpg']);
    assert.deepEqual(refused, ['Ann Lee/1.jpg USERID_INVALID']);
  });

  it('takes a CSV, its files beside it, with a byte order mark and empty columns', async (t) => {
    const folder = await folderOf(t);
    const file = path.join(folder, 'staff.csv');
    const rows = [
      'userid,groupid,username,file',
      '1,,山田,a.jpg',
      '2,g2,,"b, c.jpg"',
      ',,,d.jpg',
      '3,,,',
      '4-4,,,e.jpg',
    ];
    await writeFile(file, `\uFEFF${rows.join('\r\n')}\r\n`);
    assert.deepEqual(await listed(file), {
      items: ['default 1 山田 a.jpg', 'g2 2  b, c.jpg'],
      refused: ['d.jpg FIELD_MISSING', 'e.jpg USERID_INVALID', 'row 5 FIELD_MISSING'],
      otherFiles: 0,
    });
    const { items } = await listPictures(file, 'default');
    assert.equal(items[0].file, path.join(folder, 'a.jpg'));
  });

  it('says what cannot be read', async (t) => {
    const folder = await folderOf(t, 'broken.csv');
    await writeFile(path.join(folder, 'broken.csv'), 'userid,file\n1,"a.jpg\n');
    await assert.rejects(listPictures(path.join(folder, 'nothing'), 'default'), setup(/cannot be read/));
    await assert.rejects(listPictures(path.join(folder, 'broken.csv'), 'default'), setup(/no CSV/));
  });
});
