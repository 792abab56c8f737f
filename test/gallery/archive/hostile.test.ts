import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeNpy } from '../../../src/gallery/store/npy.js';
import { PACK, testApp, type TestApp, unitVector } from '../../support/app.js';
import { archiveOf, EVE, FACE, matrixOf, NOT_EVE, rawZip, type ZipEntry } from '../../support/archives.js';

const ZIP = { 'content-type': 'application/zip' };
const OTHER = FACE.replace('0123', '9876');

async function take({ app }: TestApp, payload: Buffer) {
  const answer = await app.inject({ method: 'POST', url: '/api/v1/import', headers: ZIP, payload });
  return {
    status: answer.statusCode,
    body: answer.json<{ code?: string; message: string; faces: { added: number }; corrections: object }>(),
  };
}

const withEntry = (name: string, change: Partial<ZipEntry>) => (entries: ZipEntry[]) =>
  entries.map((entry) => (entry.name === name ? { ...entry, ...change } : entry));
const face = (change: object) =>
  archiveOf({ people: [{ ...EVE, faces: [{ id: FACE, row: 0, ...change }] }] });
const two = [unitVector(0), unitVector(1)];

/** An archive of version 1 whose manifest is this text. */
const version1 = (manifest: Buffer | string, entries: ZipEntry[] = []) =>
  rawZip([...entries, { name: 'manifest.json', content: Buffer.from(manifest), deflate: true }]);
const personFile = 'people/default-eve/person.json';
const empty = '0'.repeat(64);

/** Title, archive, and what the refusal says. */
const REFUSED: [string, () => Buffer, RegExp][] = [
  ['3,000 entries laid over one', overlaid, /same place/],
  [
    'a matrix laid over the list of people',
    () => archiveOf({ change: (all) => [...all.slice(1), { ...all[0], at: 0 }] }),
    /same place|not what the list/,
  ],
  [
    'a bomb of zeros',
    () => archiveOf({ change: withEntry('people.jsonl', { content: Buffer.alloc(4e7), deflate: true }) }),
    /far more/,
  ],
  [
    'a bomb that says it is small',
    () =>
      archiveOf({
        change: withEntry('people.jsonl', {
          content: Buffer.alloc(4e7),
          deflate: true,
          bytes: 85,
          localBytes: 85,
        }),
      }),
    /size|damaged/,
  ],
  ['a manifest of version 1 that is all space', () => version1(`{${' '.repeat(9e6)}`), /far more|too large/],
  ['a manifest that nests', () => version1('['.repeat(9_000)), /manifest/],
  ['a manifest whose entries nest', () => version1(`{"entries":{"a":${'{"a":'.repeat(1_000)}`), /manifest/],
  ['a manifest of one long name', () => version1(`{"${'a'.repeat(10_500)}`, fillers(2)), /manifest/],
  [
    'a manifest that says a name twice',
    () =>
      version1(`{"entries":{"groups.json":"${empty}","groups.json":"${empty}"}}`, [
        { name: 'groups.json', content: Buffer.from('[]') },
      ]),
    /twice/,
  ],
  ['a list longer than the file', () => patchCount(archiveOf(), 60_000), /more entries/],
  ['an entry that is not listed', () => patchCount(archiveOf(), 3), /missing/],
  [
    'another name before the content',
    () => archiveOf({ change: withEntry('vectors.npy', { localName: 'vectorz.npy' }) }),
    /not what the list/,
  ],
  [
    'another size before the content',
    () => archiveOf({ change: withEntry('people.jsonl', { localBytes: 5 }) }),
    /not what the list/,
  ],
  ['an entry beyond the end', () => archiveOf({ change: withEntry('groups.jsonl', { at: 1e6 }) }), /beyond/],
  [
    'an encrypted entry',
    () => archiveOf({ change: withEntry('groups.jsonl', { flags: 1, packedBytes: 60 }) }),
    /encrypted|damaged/,
  ],
  [
    'a link',
    () => archiveOf({ change: withEntry('groups.jsonl', { attributes: 0o120777 * 0x10000 }) }),
    /not a file/,
  ],
  [
    'a way out',
    () => archiveOf({ change: (all) => [...all, { name: '../x.png', content: Buffer.alloc(1) }] }),
    /./,
  ],
  [
    'something else',
    () => archiveOf({ change: (all) => [...all, { name: 'x.sh', content: Buffer.alloc(1) }] }),
    /x\.sh/,
  ],
  ['a name twice', () => archiveOf({ change: (all) => [...all, all[2]] }), /twice/],
  [
    'a picture twice',
    () => archiveOf({ pictures: { 'pictures/0.png': Buffer.from('a') }, change: (all) => [...all, all[3]] }),
    /twice/,
  ],
  [
    'a compressed matrix',
    () => archiveOf({ change: withEntry('vectors.npy', { deflate: true }) }),
    /compressed/,
  ],
  [
    'an unknown compression',
    () => archiveOf({ change: withEntry('groups.jsonl', { method: 12 }) }),
    /compressed in a way/,
  ],
  ['NaN', () => archiveOf({ vectors: [Float32Array.of(NaN, 0, 0, 0)] }), /not an embedding/],
  ['no direction', () => archiveOf({ vectors: [new Float32Array(4)] }), /not an embedding/],
  ['twice as long', () => archiveOf({ vectors: [Float32Array.of(2, 0, 0, 0)] }), /not an embedding/],
  ...(
    [
      ['float64', "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 4), }", /float32/],
      ['big-endian', "{'descr': '>f4', 'fortran_order': False, 'shape': (1, 4), }", /little-endian/],
      ['Fortran order', "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 4), }", /Fortran/],
      ['vectors of five', "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 5), }", /shape/],
      [
        'more rows than it has',
        "{'descr': '<f4', 'fortran_order': False, 'shape': (900000000000, 4), }",
        /shape/,
      ],
      ['objects', "{'descr': '|O', 'fortran_order': False, 'shape': (1, 4), }", /floats/],
    ] as const
  ).map(([title, header, says]): [string, () => Buffer, RegExp] => [
    title,
    () => archiveOf({ matrix: matrixOf([unitVector(0)], header) }),
    says,
  ]),
  ['a matrix of one vector', () => archiveOf({ matrix: encodeNpy(unitVector(0)) }), /shape/],
  ['rows that the manifest does not count', () => archiveOf({ vectors: two, counts: { rows: 1 } }), /shape/],
  ['a row out of range', () => face({ row: 1 }), /out of range/],
  ['a row below zero', () => face({ row: -1 }), /not valid/],
  ['half a row', () => face({ row: 0.5 }), /not valid/],
  [
    'a row twice',
    () =>
      archiveOf({
        vectors: two,
        people: [
          {
            ...EVE,
            faces: [
              { id: FACE, row: 0 },
              { id: OTHER, row: 0 },
            ],
          },
        ],
      }),
    /out of range or order/,
  ],
  [
    'a face twice',
    () =>
      archiveOf({
        vectors: two,
        people: [
          {
            ...EVE,
            faces: [
              { id: FACE, row: 0 },
              { id: FACE, row: 1 },
            ],
          },
        ],
      }),
    /twice/,
  ],
  [
    'a person twice',
    () =>
      archiveOf({
        people: [
          { ...EVE, faces: [] },
          { ...EVE, faces: [] },
        ],
      }),
    /twice/,
  ],
  [
    'people out of order',
    () => archiveOf({ people: [EVE, { ...EVE, userid: 'ada', faces: [] }] }),
    /out of order/,
  ],
  ['a day that never was', () => face({ id: FACE.replace('0131', '0231') }), /not named like a face/],
  ["somebody else's face", () => face({ id: FACE.replace('eve', 'bob') }), /not named like a face/],
  [
    'an ID that leads out',
    () => archiveOf({ people: [{ ...EVE, userid: '../x', faces: [] }] }),
    /IDs are not valid/,
  ],
  [
    'an ID that is too long',
    () => archiveOf({ people: [{ ...EVE, userid: 'e'.repeat(65), faces: [] }] }),
    /not valid/,
  ],
  [
    'a name that is too long',
    () => archiveOf({ people: [{ ...EVE, username: 'e'.repeat(1001) }] }),
    /not valid/,
  ],
  ['metadata that nests', () => archiveOf({ people: [{ ...EVE, metadata: { a: [] } }] }), /not valid/],
  [
    'a group that is missing',
    () => archiveOf({ people: [{ ...EVE, groupid: 'staff', faces: [] }], vectors: [] }),
    /"staff"/,
  ],
  [
    'a group twice',
    () => archiveOf({ groups: [0, 0].map(() => ({ groupid: 'default', groupname: '' })) }),
    /twice/,
  ],
  ['a group that leads out', () => archiveOf({ groups: [{ groupid: '..', groupname: '' }] }), /not a group/],
  ['a line that is no JSON', () => archiveOf({ people: ['{'] }), /not JSON/],
  [
    'a line that is not UTF-8',
    () =>
      archiveOf({
        change: (all) =>
          all.map((one) => (one.name === 'people.jsonl' ? { ...one, content: latin1(one.content) } : one)),
      }),
    /UTF-8/,
  ],
  ['a line that does not end', () => archiveOf({ people: [`"${'a'.repeat(2_100_000)}"`] }), /too long/],
  [
    'a last line cut off',
    () =>
      archiveOf({
        people: ['{}'],
        change: (all) =>
          all.map((one) => (one.name === 'people.jsonl' ? { ...one, content: Buffer.from('{}}') } : one)),
      }),
    /cut off/,
  ],
  ['other counts', () => archiveOf({ counts: { people: 2 } }), /counts other/],
  ['counts that are none', () => archiveOf({ counts: { faces: 1e300 } }), /not valid/],
  ["nobody's picture", () => archiveOf({ pictures: { 'pictures/7.png': Buffer.from('a') } }), /nobody's/],
  [
    'a damaged picture',
    () =>
      archiveOf({
        pictures: { 'pictures/0.png': Buffer.from('a') },
        change: withEntry('pictures/0.png', { crc: 1 }),
      }),
    /damaged/,
  ],
  [
    'a picture more',
    () => archiveOf({ pictures: { 'pictures/0.png': Buffer.from('a') }, counts: { pictures: 0 } }),
    /pictures/,
  ],
  ['a version to come', () => archiveOf({ manifest: { version: 4 } }), /not valid/],
  ['version 3 without corrections', () => archiveOf({ manifest: { version: 3 } }), /lacks corrections/],
  [
    'version 2 with corrections, which older readers pass over',
    () => archiveOf({ corrections: [NOT_EVE], manifest: { version: 2 } }),
    /of version 2, it holds/,
  ],
  [
    'corrections that the manifest does not count',
    () => archiveOf({ corrections: [NOT_EVE], counts: { corrections: 2 } }),
    /counts other corrections/,
  ],
  [
    'a correction of nobody before',
    () => archiveOf({ corrections: [{ ...NOT_EVE, userid: 'ada' }] }),
    /nobody's/,
  ],
  [
    'a correction of nobody behind',
    () => archiveOf({ corrections: [NOT_EVE, { ...NOT_EVE, userid: 'zoe' }] }),
    /nobody's/,
  ],
  [
    "a correction with a face's ID",
    () => archiveOf({ corrections: [{ ...NOT_EVE, id: FACE }] }),
    /there twice/,
  ],
  ['a correction twice', () => archiveOf({ corrections: [NOT_EVE, NOT_EVE] }), /there twice/],
  [
    "a correction with somebody else's ID",
    () => archiveOf({ corrections: [{ ...NOT_EVE, id: NOT_EVE.id.replace('eve', 'bob') }] }),
    /not named like a face/,
  ],
  [
    '201 corrections of one person',
    () =>
      archiveOf({
        corrections: Array.from({ length: 201 }, (_, i) => ({ ...NOT_EVE, id: `${NOT_EVE.id}${i}` })),
      }),
    /one too many/,
  ],
  ...[
    ['of another length', Float32Array.of(1, 0, 0)],
    ['of no length', new Float32Array(4)],
    ['that is no number', Float32Array.of(NaN, 0, 0, 0)],
  ].map(([title, vector]): [string, () => Buffer, RegExp] => [
    `a correction ${title as string}`,
    () =>
      archiveOf({
        corrections: [
          { ...NOT_EVE, vector: Buffer.from((vector as Float32Array).slice().buffer).toString('base64') },
        ],
      }),
    /not an embedding/,
  ]),
  [
    'a correction in other letters',
    () => archiveOf({ corrections: [{ ...NOT_EVE, vector: '\u0000{}' }] }),
    /not valid/,
  ],
  [
    "a correction's picture that is too large",
    () => archiveOf({ corrections: [{ ...NOT_EVE, picture: 'A'.repeat(300_000) }] }),
    /not valid/,
  ],
  [
    'a person of version 1 that the manifest does not name',
    () =>
      version1(`{"format":"kaomon-gallery","version":1,"pack":"${PACK.id}","length":4,"entries":{}}`, [
        { name: personFile, content: Buffer.from('{}') },
      ]),
    /not what the manifest says/,
  ],
];

function overlaid(): Buffer {
  const content = Buffer.from('a');
  const id = (i: number) =>
    `people/default-eve/default-eve_20260131_090000_m${String(i).padStart(10, '0')}.npy`;
  const whole = rawZip([
    { name: id(0), content },
    ...Array.from({ length: 2999 }, (_, i) => ({ name: id(i + 1), content, at: 0 })),
    { name: 'manifest.json', content: Buffer.alloc(300_000, 'x') },
  ]);
  return whole;
}

const fillers = (count: number): ZipEntry[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `people/default-e${i}/person.json`,
    content: Buffer.alloc(5_000),
  }));

function latin1(content: Buffer): Buffer {
  const changed = Buffer.from(content);
  changed[changed.indexOf('Eve')] = 0xe9;
  return changed;
}

/** Makes a zip's end count other entries than there are. */
function patchCount(zip: Buffer, count: number): Buffer {
  for (const place of [8, 10]) zip.writeUInt16LE(count, zip.length - 22 + place);
  return zip;
}

describe('an archive made to harm', () => {
  it('is taken where nothing is wrong with it', async (t) => {
    const test = await testApp(t);
    const { status, body } = await take(
      test,
      archiveOf({ pictures: { 'pictures/0.png': Buffer.from('a PNG') } }),
    );
    assert.deepEqual([status, body.faces], [200, { added: 1, skipped: 0 }]);
    assert.equal(Buffer.from((await test.gallery.picture('default-eve', FACE)) ?? []).toString(), 'a PNG');
    const again = await take(test, archiveOf({ corrections: [NOT_EVE] }));
    assert.deepEqual([again.status, again.body.corrections], [200, { added: 1, skipped: 0 }]);
  });

  for (const [title, make, says] of REFUSED) {
    it(`is refused, and changes nothing: ${title}`, async (t) => {
      const test = await testApp(t);
      const before = process.memoryUsage().rss;
      const { status, body } = await take(test, make());
      assert.deepEqual([status, body.code], [400, 'ARCHIVE_INVALID'], body.message);
      assert.match(body.message, says);
      assert.match(body.message, /Nothing was imported\.$/);
      assert.equal(test.gallery.info().people, 0);
      assert.equal(test.gallery.groups().length, 1);
      assert.ok(process.memoryUsage().rss - before < 300e6);
    });
  }
});
