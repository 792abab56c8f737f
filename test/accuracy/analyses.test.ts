import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { NO_CACHE, openAnalysisCache } from '../../src/accuracy/analysis-cache.js';
import { analyseAll, type AnalysisTask } from '../../src/accuracy/analyses.js';
import { KaomonError } from '../../src/platform/errors.js';
import type { AnalysedFace, AnalyzeOptions } from '../../src/vision/types.js';
import { face, unitVector } from '../support/app.js';
import { temporaryFolder } from '../support/temporary.js';

const times = { queue: 0, decode: 0, detect: 0, embed: 0 };

/** Answers the faces that `find` sees in a picture of text; counts how often it was asked. */
function textVision(find: (text: string, options: AnalyzeOptions) => AnalysedFace[]) {
  const asked: string[] = [];
  return {
    asked,
    analyze(bytes: Uint8Array, options: AnalyzeOptions = {}) {
      const text = Buffer.from(bytes).toString();
      asked.push(text);
      return Promise.resolve().then(() => ({ width: 400, height: 300, faces: find(text, options), times }));
    },
  };
}

const task = (text: string, options: AnalysisTask['options'] = {}): AnalysisTask => ({
  ...{ read: () => Promise.resolve(Uint8Array.from(Buffer.from(text))), key: text, options },
});

const moved = (distance: number, x: number, y: number): AnalysedFace => ({
  ...face(100, distance),
  box: { x1: x, y1: y, x2: x + 100, y2: y + 100 },
});

describe('looks at pictures', () => {
  it('are in the order of the pictures, with the largest face of each', async () => {
    const vision = textVision((text) =>
      [face(100, Number(text)), face(50, 3)].slice(0, text === '0' ? 0 : 2),
    );
    const looks = await analyseAll(
      ['1', '0', '2'].map((text) => task(text)),
      {
        ...{ vision, cache: NO_CACHE, which: 'largest', atOnce: 2 },
      },
    );
    assert.deepEqual(looks, [
      { faces: 2, embedding: unitVector(1) },
      { faces: 0 },
      { faces: 2, embedding: unitVector(2) },
    ]);
  });

  it('take the face in the middle where the folders name that one', async () => {
    const vision = textVision(() => [moved(1, 0, 0), moved(2, 140, 90)]);
    const [look] = await analyseAll([task('x')], { vision, cache: NO_CACHE, which: 'centre', atOnce: 1 });
    assert.deepEqual(look.embedding, unitVector(2));
  });

  it('tell the distance of the eyes', async () => {
    const landmarks = Float32Array.of(10, 10, 13, 14, 0, 0, 0, 0, 0, 0);
    const vision = textVision(() => [{ ...face(), landmarks }]);
    const [look] = await analyseAll([task('x')], { vision, cache: NO_CACHE, which: 'largest', atOnce: 1 });
    assert.equal(look.eyes, 5);
  });

  it('tell of a damaged picture and go on; what is no picture’s fault ends them', async () => {
    const vision = textVision((text) => {
      if (text === 'cut') throw new KaomonError('IMAGE_UNREADABLE', 'The picture is damaged.');
      if (text === 'broken') throw new KaomonError('NO_MODEL', 'No vision thread is running.');
      return [face()];
    });
    const settings = { vision, cache: NO_CACHE, which: 'largest', atOnce: 1 } as const;
    const looks = await analyseAll([task('cut'), task('good')], settings);
    assert.deepEqual(looks[0], { faces: 0, problem: 'The picture is damaged.' });
    assert.ok(looks[1].embedding);
    await assert.rejects(analyseAll([task('broken')], settings), { code: 'NO_MODEL' });
  });

  it('are kept: the same picture is looked at once by one pack, and anew by another or in another way', async (t) => {
    const folder = await temporaryFolder(t);
    const vision = textVision(() => [face(100, 0.5)]);
    const warnings: string[] = [];
    const settings = (print: string) => ({
      ...({ vision, which: 'largest', atOnce: 1 } as const),
      cache: openAnalysisCache(folder, print, (message) => warnings.push(message)),
    });
    const [first] = await analyseAll([task('ken')], settings('pack'));
    const [again] = await analyseAll([task('ken')], settings('pack'));
    assert.deepEqual(again, first);
    assert.equal(vision.asked.length, 1);
    await analyseAll([task('ken', { views: true })], settings('pack'));
    await analyseAll([task('ken')], settings('other'));
    assert.equal(vision.asked.length, 3);
    // Which face counts is another question to the same look.
    await analyseAll([task('ken')], { ...settings('pack'), which: 'centre' });
    assert.equal(vision.asked.length, 3);
    assert.deepEqual(warnings, []);
  });

  it('do without a cache that is damaged or cannot be written', async (t) => {
    const folder = await temporaryFolder(t);
    const vision = textVision(() => [face(100, 0.5)]);
    const warnings: string[] = [];
    const cache = openAnalysisCache(folder, 'pack', (message) => warnings.push(message));
    const settings = { vision, cache, which: 'largest', atOnce: 1 } as const;
    await analyseAll([task('ken')], settings);
    for (const name of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (name.isFile()) await writeFile(path.join(name.parentPath, name.name), 'no look');
    }
    const [look] = await analyseAll([task('ken')], settings);
    assert.deepEqual(look.embedding, unitVector(0.5));

    const taken = path.join(folder, 'taken');
    await mkdir(folder, { recursive: true });
    await writeFile(taken, 'a file where a folder should be');
    const broken = openAnalysisCache(path.join(taken, 'cache'), 'pack', (message) => warnings.push(message));
    const looks = await analyseAll([task('a'), task('b')], { ...settings, cache: broken });
    assert.equal(looks.length, 2);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0], /cannot be stored/);
  });
});
