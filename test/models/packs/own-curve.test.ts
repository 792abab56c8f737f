import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readOwnPack } from '../../../src/models/packs/own-pack.js';
import { PROJECT_ROOT } from '../../../src/platform/root.js';
import { tinyNetwork, writeOwnPack } from '../../support/own-pack.js';
import { temporaryFolder } from '../../support/temporary.js';

const CURVE = {
  pairs: 100_000,
  source: 'calibrated on our own door',
  points: [
    [0.6, 1e-4],
    [0.8, 1e-3],
    [1, 1e-2],
  ],
};

/** Reads a pack whose manifest is that of docs/models.md with a curve. */
async function readWith(t: TestContext, curve: unknown, more: object = {}) {
  const modelsDir = await temporaryFolder(t);
  const manual = await readFile(path.join(PROJECT_ROOT, 'docs', 'models.md'), 'utf8');
  const manifest = JSON.parse(/```json\n([^`]*)```/.exec(manual)?.at(1) ?? '') as { embedder: object };
  Object.assign(manifest.embedder, { file: 'tiny.onnx' });
  await writeOwnPack(modelsDir, 'mine', { ...manifest, ...more, curve }, tinyNetwork({ size: 32, cells: 4 }));
  return readOwnPack('mine', modelsDir);
}

describe('the curve in the manifest of a pack of one’s own', () => {
  it('is read as it stands, and may be left out', async (t) => {
    assert.deepEqual((await readWith(t, CURVE))?.curve, CURVE);
    assert.equal((await readWith(t, undefined))?.curve, undefined);
  });

  it('is the one that docs/models.md shows', async (t) => {
    const manual = await readFile(path.join(PROJECT_ROOT, 'docs', 'models.md'), 'utf8');
    const shown = /```json\n\{\s*"curve": ([^`]*)\}\n```/.exec(manual)?.at(1);
    const curve = JSON.parse(shown ?? '') as typeof CURVE;
    assert.deepEqual((await readWith(t, curve))?.curve, curve);
  });

  it('goes with templates where the manifest says so, and without where it does not', async (t) => {
    assert.equal((await readWith(t, CURVE, { templates: true }))?.templates, true);
    assert.equal((await readWith(t, CURVE))?.templates, undefined);
    await assert.rejects(readWith(t, CURVE, { templates: 'yes' }), { code: 'SETUP', message: /templates/ });
  });

  const wrong: [what: string, change: object, says: RegExp][] = [
    ['one point', { points: [[0.6, 1e-4]] }, /curve\.points/],
    ['no pairs', { pairs: 0 }, /curve\.pairs/],
    ['half a pair', { pairs: 0.5 }, /curve\.pairs/],
    ['no source', { source: '' }, /curve\.source/],
    ['a word more', { colour: 'blue' }, /curve/],
    ['a distance of 0', { points: [[0, 1e-4], ...CURVE.points] }, /curve\.points\.0/],
    ['a distance beyond 4', { points: [...CURVE.points, [4.1, 0.9]] }, /curve\.points\.3/],
    ['a rate of 0', { points: [[0.5, 0], ...CURVE.points] }, /curve\.points\.0/],
    ['a rate above 1', { points: [...CURVE.points, [1.2, 1.1]] }, /curve\.points\.3/],
    ['three numbers a point', { points: [[0.5, 1e-5, 3], ...CURVE.points] }, /curve\.points\.0/],
    ['distances that fall', { points: [...CURVE.points].reverse() }, /must ascend.*point 2/],
    ['a distance twice', { points: [[0.6, 1e-5], ...CURVE.points] }, /must ascend.*point 2/],
    ['a rate twice', { points: [...CURVE.points, [1.2, 1e-2]] }, /must ascend.*point 4/],
  ];
  for (const [what, change, says] of wrong) {
    it(`is refused by name with ${what}`, async (t) => {
      await assert.rejects(readWith(t, { ...CURVE, ...change }), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'SETUP');
        assert.match(error.message, says);
        return true;
      });
    });
  }
});
