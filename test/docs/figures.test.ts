import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { DOCUMENTS, fillIn } from '../../src/cli/figures.js';
import { loadConfig } from '../../src/settings/config.js';
import { rateOfSimilarity } from '../../src/http/compreface/similarity.js';
import { LOOSEST_RATE, PAIR_RATE, SURE_RATE } from '../../src/identity/decision.js';
import { falseMatchRateFor } from '../../src/identity/odds.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { MEASURED_CURVE } from '../support/curve.js';

const read = (name: string) => readFile(path.join(PROJECT_ROOT, 'docs', name), 'utf8');

describe('the figures of the documents', () => {
  for (const document of DOCUMENTS) {
    it(`docs/${document} has those of the code`, async () => {
      const text = await read(document);
      assert.equal(text, fillIn(document, text), 'write them anew: node scripts/kaomon.mjs figures --write');
    });
  }

  it('follow the packs and the settings', async () => {
    const pack = { id: 'mine', embedder: 'facenet', thresholds: { identical: 1, sure: 0.9 } } as const;
    const given = { packs: [{ ...pack, curve: MEASURED_CURVE }], falseNames: 0.001 };
    const thresholds = fillIn('thresholds.md', await read('thresholds.md'), given);
    assert.match(thresholds, /^\| `mine` \| 1\.184 \/ 1\.053 +\|/m, 'ten people, at FMR 1e-4 and 1e-5');
    assert.match(thresholds, /^\| 1 in 1,000 +\| 1\.331 +\|$/m);
    assert.match(thresholds, /^\| 1 in 1,000,000 +\| 0\.864 \(too few pairs\) +\|$/m);
    assert.match(thresholds, /^\| pairs behind it +\| 1,675,365 +\|$/m);
    const compreface = fillIn('compreface.md', await read('compreface.md'), given);
    assert.match(compreface, /^\| 0\.5 +\| 1 in 100 +\| 63 % +\| 1\.511 +\|$/m);
  });

  it('miss no mark', async () => {
    const text = (await read('compreface.md')).replace('<!-- figures: similarity -->', '');
    assert.throws(() => fillIn('compreface.md', text), { code: 'SETUP' });
  });

  it('on the similarity, in the sentences, are those of the code', async () => {
    const text = (await read('compreface.md')).replaceAll(/\s+/g, ' ');
    const { FALSE_NAMES } = loadConfig({});
    assert.ok(text.includes(`ever takes (1 in ${(1 / LOOSEST_RATE).toLocaleString('en')})`));
    assert.ok(
      rateOfSimilarity(0.9) < LOOSEST_RATE,
      'the loosest that CompreFace’s programs carry is stricter',
    );
    assert.ok(text.includes('0.99 is what it takes with 1,000 faces enrolled'));
    const there = rateOfSimilarity(0.99) / falseMatchRateFor(FALSE_NAMES, 1000);
    assert.ok(Math.abs(Math.log10(there)) < 0.05, String(there));
    assert.ok(text.includes('log(s / (1 - s)) = 2/3 * (log((1 - FMR) / FMR) - log((1 - 0.01) / 0.01))'));
    for (const similarity of [0.5, 0.6, 0.9, 0.99]) {
      const rate = rateOfSimilarity(similarity);
      const formula = (2 / 3) * (Math.log((1 - rate) / rate) - Math.log((1 - 0.01) / 0.01));
      assert.ok(Math.abs(Math.log(similarity / (1 - similarity)) - formula) < 1e-9);
    }
    const limits = ['MIN_ENROL_SIZE', 'MIN_SHARPNESS', 'MAX_YAW', 'MAX_PITCH', 'MAX_ROLL'];
    const values = /set them to take anything: ([\d, ]+)\)/.exec(text)?.[1].split(', ') ?? [];
    assert.equal(values.length, limits.length);
    const widest = (change: number) =>
      Object.fromEntries(
        limits.map((name, i) => [
          name,
          String(Number(values[i]) + (name.startsWith('MAX') ? change : -change)),
        ]),
      );
    loadConfig(widest(0));
    for (const [name, value] of Object.entries(widest(1))) {
      assert.throws(() => loadConfig({ [name]: value }), { code: 'SETUP' }, name);
    }
  });

  it('in the sentences are the constants of the code', async () => {
    const text = (await read('thresholds.md')).replaceAll(/\s+/g, ' ');
    assert.ok(text.includes(`\`FALSE_NAMES\` (${loadConfig({}).FALSE_NAMES})`));
    assert.ok(text.includes(`never looser than an FMR of 1 in ${(1 / LOOSEST_RATE).toLocaleString('en')}`));
    assert.ok(text.includes(`one stranger in ${(1 / SURE_RATE).toLocaleString('en')}`));
    assert.ok(text.includes(`FMR of 1 in ${(1 / PAIR_RATE).toLocaleString('en')}, whoever is enrolled`));
  });
});
