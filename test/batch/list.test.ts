import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { listPictures } from '../../src/batch/list.js';
import { KaomonError } from '../../src/platform/errors.js';
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

  it('makes an ID of a person’s name that cannot be one, and keeps the name', async (t) => {
    // As a Mac writes it: two characters.
    const folder = await folderOf(
      t,
      'Jose\u0301/1.jpg',
      'José/2.jpg',
      '雪/1.jpg',
      'Jean Luc/1.jpg',
      'bob/1.jpg',
    );
    const { items, refused } = await listPictures(folder, 'default');
    assert.deepEqual(refused, []);
    const people = items.map(({ name, userid, username }) => [name.normalize('NFC'), userid, username]);
    assert.deepEqual(people.sort(), [
      ['Jean Luc/1.jpg', 'Jean_Luc_b60773a128', 'Jean Luc'],
      ['José/1.jpg', 'Jose_24c2ab65b7', 'José'],
      ['José/2.jpg', 'Jose_24c2ab65b7', 'José'],
      ['bob/1.jpg', 'bob', undefined],
      ['雪/1.jpg', 'subject_53058fe2e0', '雪'],
    ]);
  });

  it('refuses a name that nobody could read, and a group’s that is no ID', async (t) => {
    const folder = await folderOf(t, 'Büro/ann/1.jpg', 'staff/a\u202eb/1.jpg', 'staff/bob/1.jpg');
    const { items, refused } = await listed(folder);
    assert.deepEqual(items, ['staff bob  staff/bob/1.jpg']);
    assert.deepEqual(refused, ['Büro/ann/1.jpg GROUPID_INVALID', 'staff/a\u202eb/1.jpg FIELD_INVALID']);
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

  // As bytes, because nothing here writes Shift_JIS: 山田 太郎, ﾔﾏﾀﾞ, 斎藤, さくら.
  const YAMADA = [0x8e, 0x52, 0x93, 0x63, 0x20, 0x91, 0xbe, 0x98, 0x59];
  const HALF_WIDTH = [0xd4, 0xcf, 0xc0, 0xde];
  const SAITO = [0x8d, 0xd6, 0x93, 0xa1];
  const SAKURA = [0x82, 0xb3, 0x82, 0xad, 0x82, 0xe7];
  const latin1 = (text: string) => [...Buffer.from(text, 'latin1')];
  const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();
  /** A list with these names, in the encoding that they are in. */
  const listOf = (delimiter: string, ...names: number[][]) => [
    ...latin1(['userid', 'username', 'file'].join(delimiter)),
    ...names.flatMap((name, i) => [
      ...latin1(`\r\nu${i}${delimiter}`),
      ...name,
      ...latin1(`${delimiter}${i}.jpg`),
    ]),
    ...latin1('\r\n'),
  ];
  const UNICODE = 'userid\tusername\tfile\r\nu0\t山田\t0.jpg\r\nu1\tBjörn\t1.jpg\r\n';

  const texts: [title: string, bytes: Iterable<number>, encoding: string, names: string[]][] = [
    [
      'UTF-16 of Excel',
      Buffer.from(`\ufeff${UNICODE}`, 'utf16le'),
      'UTF-16 (little-endian)',
      ['山田', 'Björn'],
    ],
    ['UTF-16 without a mark', Buffer.from(UNICODE, 'utf16le'), 'UTF-16 (little-endian)', ['山田', 'Björn']],
    ['UTF-16 the other way round', utf16be(`\ufeff${UNICODE}`), 'UTF-16 (big-endian)', ['山田', 'Björn']],
    ['that without a mark', utf16be(UNICODE), 'UTF-16 (big-endian)', ['山田', 'Björn']],
    [
      'UTF-8 with semicolons',
      Buffer.from(`sep=;\r\n${UNICODE.replaceAll('\t', ';')}`),
      'UTF-8',
      ['山田', 'Björn'],
    ],
    [
      'a Japanese Excel',
      listOf(',', YAMADA, SAITO, SAKURA, HALF_WIDTH),
      'Shift_JIS',
      ['山田 太郎', '斎藤', 'さくら', 'ﾔﾏﾀﾞ'],
    ],
    [
      'a Western Excel',
      listOf(
        ';',
        latin1('Björn'),
        latin1('Hélène'),
        latin1('Müller'),
        latin1('Åsa'),
        [0x4f, 0x92, 0x42, 0x72],
      ),
      'Windows-1252',
      ['Björn', 'Hélène', 'Müller', 'Åsa', 'O’Br'],
    ],
    ['one accent at the end of a name', listOf(';', latin1('Zoé')), 'Windows-1252', ['Zoé']],
  ];
  for (const [title, bytes, encoding, names] of texts) {
    it(`takes a CSV of ${title}, and says what it took it for`, async (t) => {
      const file = path.join(await folderOf(t), 'staff.csv');
      await writeFile(file, Uint8Array.from(bytes));
      const list = await listPictures(file, 'default');
      assert.equal(list.encoding, encoding);
      assert.deepEqual(
        list.items.map(({ username }) => username),
        names,
      );
    });
  }

  it('refuses a CSV that could be several, and takes it when that is said', async (t) => {
    const file = path.join(await folderOf(t), 'staff.csv');
    // Иван in Windows-1251, 山田 in EUC-JP, and half-width katakana, which might be EUC-JP.
    const IVAN = [0xc8, 0xe2, 0xe0, 0xed];
    for (const name of [IVAN, [0xbb, 0xb3, 0xc5, 0xc4], HALF_WIDTH]) {
      await writeFile(file, Uint8Array.from(listOf(',', name)));
      const told = await listPictures(file, 'default').then(
        ({ encoding }) => encoding,
        (error: unknown) => String(error),
      );
      assert.match(told ?? '', /encoding cannot be detected: .*--encoding/);
    }
    await writeFile(file, Uint8Array.from(listOf(',', IVAN)));
    const { items } = await listPictures(file, 'default', 'windows-1251');
    assert.equal(items[0].username, 'Иван');
    await assert.rejects(listPictures(file, 'default', 'klingon'), setup(/no encoding "klingon"/));
    await assert.rejects(listPictures(file, 'default', 'utf-8'), setup(/not UTF-8 throughout/));
    await writeFile(file, 'PK\u0003\u0004');
    await assert.rejects(listPictures(file, 'default'), setup(/workbook/));
    await writeFile(file, 'name|file\nada|1.jpg\n');
    await assert.rejects(
      listPictures(file, 'default'),
      setup(/must name the columns userid and file.*name\|file/),
    );
  });

  it('keeps names in one form, and refuses those that nobody could read', async (t) => {
    const file = path.join(await folderOf(t), 'staff.csv');
    await writeFile(file, 'userid,username,file\n1,Bjo\u0308rn,1.jpg\n2,a\u202eb,2.jpg\n');
    assert.deepEqual(await listed(file), {
      items: ['default 1 Björn 1.jpg'],
      refused: ['2.jpg FIELD_INVALID'],
      otherFiles: 0,
    });
  });

  it('takes pictures by their names as cameras, telephones and Windows write them', async (t) => {
    const folder = await folderOf(t, 'a/1.jfif', 'a/2.HEIC', 'a/3.jpe', 'a/4.txt');
    assert.deepEqual(await listed(folder), {
      items: ['default a  a/1.jfif', 'default a  a/2.HEIC', 'default a  a/3.jpe'],
      refused: [],
      otherFiles: 1,
    });
  });

  it('says what cannot be read', async (t) => {
    const folder = await folderOf(t, 'broken.csv');
    await writeFile(path.join(folder, 'broken.csv'), 'userid,file\n1,"a.jpg\n');
    await assert.rejects(listPictures(path.join(folder, 'nothing'), 'default'), setup(/cannot be read/));
    await assert.rejects(listPictures(path.join(folder, 'broken.csv'), 'default'), setup(/as a CSV file/));
  });
});
