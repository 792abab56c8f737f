import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { NO_CACHE } from '../../src/accuracy/analysis-cache.js';
import { measurePack, type MeasureSettings } from '../../src/accuracy/measure.js';
import { drawReports } from '../../src/accuracy/plots.js';
import { compareReports, reportPack } from '../../src/accuracy/report.js';
import { listSamples } from '../../src/accuracy/samples.js';
import type { AnalyzeOptions } from '../../src/vision/types.js';
import { face, PACK } from '../support/app.js';
import { PLAIN_CURVE } from '../support/curve.js';
import { temporaryFolder } from '../support/temporary.js';
import { at, apart } from './made-faces.js';

const times = { queue: 0, decode: 0, detect: 0, embed: 0 };

/** A picture is a text: the direction of its face in degrees; as enrolled, one degree further on. */
const vision = {
  analyze(bytes: Uint8Array, options: AnalyzeOptions = {}) {
    const text = Buffer.from(bytes).toString();
    const embedding = at(Number(text) + (options.views ? 1 : 0));
    const faces = Number.isNaN(Number(text)) ? [] : [{ ...face(), embedding }];
    return Promise.resolve({ width: 400, height: 300, faces, times });
  },
};

/** Twelve people 30 degrees apart, with pictures at +0, +2 and +4; strangers between them. */
async function lay(t: TestContext, wrong = false) {
  const root = await temporaryFolder(t);
  const put = async (folder: string, name: string, text: string) => {
    await mkdir(path.join(root, folder), { recursive: true });
    await writeFile(path.join(root, folder, name), text);
  };
  for (let i = 0; i < 12; i++) {
    for (const more of [0, 2, 4]) await put(`people/p${i}`, `${more}.jpg`, String(30 * i + more));
    await put(`strangers/s${i}`, '1.jpg', String(30 * i + 17));
  }
  if (wrong) await put('people/p0', 'wrong.jpg', '95.5');
  await put('people/p1', 'hill.jpg', 'no face');
  const { samples } = await listSamples({
    people: [path.join(root, 'people')],
    strangers: [path.join(root, 'strangers')],
  });
  return { samples, root };
}

const settings = (more: Partial<MeasureSettings> = {}): MeasureSettings => ({
  pack: PACK,
  config: { FALSE_NAMES: 0.01 },
  analysis: { vision, cache: NO_CACHE, which: 'largest', atOnce: 2 },
  ...{ source: 'made', conditions: false },
  ...more,
});

describe('a pack measured', () => {
  it('on people who lie far apart: nobody is missed or confused, and a picture without a face is', async (t) => {
    const { samples } = await lay(t);
    const report = await measurePack(samples, settings());
    assert.deepEqual([report.pictures, report.people, report.strangers, report.views], [49, 12, 12, 1]);
    assert.equal(report.faceless.length, 1);
    assert.ok(report.faceless[0].file.endsWith('hill.jpg'));
    const { pairs, fta, eer } = report.verification;
    assert.deepEqual(pairs, { genuine: 12 * 6, impostor: (48 * 47) / 2 - 12 * 3 });
    assert.equal(fta, 1 / 49);
    assert.equal(eer, 0);
    // One of 25 pictures of those who are asked for shows no face.
    const whole = report.identification.find(
      ({ size, reference }) =>
        reference === 'both' && size.people === 12 && size.faces === 1 && size.filling === 0,
    );
    assert.ok(whole);
    assert.deepEqual(whole.mated, { searches: 250, people: 12 });
    const point = whole.points.find(({ level }) => level === 0.05);
    assert.ok(point && Math.abs(point.fnir - 1 / 25) < 1e-9);
  });

  it('compares what is enrolled in views with a single one', async (t) => {
    const { samples } = await lay(t);
    const pack = { ...PACK, embedder: { ...PACK.embedder, views: [{}, { mirrored: true }] } };
    const { curve, views } = await measurePack(samples, settings({ pack }));
    const { curve: alone } = await measurePack(samples, settings());
    assert.equal(views, 2);
    assert.ok(curve && alone);
    // Of different people 24 pairs are 13 degrees apart and 24 are 15: the thirtieth is; one of them enrolled a degree
    // nearer or farther, half of the 15 are 14.
    assert.ok(Math.abs(alone.points[0][0] - apart(15)) < 1e-5, `${alone.points[0][0]}`);
    assert.ok(Math.abs(curve.points[0][0] - apart(14)) < 1e-5, `${curve.points[0][0]}`);
  });

  it('tells the FPIR that the threshold in force was to have beside the one that it has', async (t) => {
    const { samples } = await lay(t);
    const fixed = await measurePack(
      samples,
      settings({ config: { FALSE_NAMES: 0.01, IDENTICAL_DISTANCE: 0.06 } }),
    );
    const of = (report: typeof fixed, people: number, faces: number) =>
      report.inForce.find(({ size }) => size.people === people && size.faces === faces && size.filling === 0);
    const found = of(fixed, 12, 2);
    assert.ok(found);
    assert.deepEqual([found.threshold, found.aim], [0.06, undefined]);
    // Strangers come as near as 13 degrees (0.051) to whoever has the picture at +4 enrolled.
    assert.ok(found.fpir > 0 && found.predicted.byFaces > found.predicted.byPeople);

    const moving = await measurePack(samples, settings({ pack: { ...PACK, curve: PLAIN_CURVE } }));
    const [small, large] = [of(moving, 3, 1), of(moving, 12, 1)];
    assert.ok(small && large && small.threshold > large.threshold);
    assert.equal(large.aim, 0.01);
  });

  it('tells what its threshold does by what the server compares with: faces, or templates, too', async (t) => {
    const { samples } = await lay(t);
    for (const [templates, reference, words] of [
      [true, 'both', 'nearest of their faces and their template.'],
      [false, 'nearest', 'nearest of their faces.'],
    ] as const) {
      const report = await measurePack(samples, settings({ pack: { ...PACK, templates } }));
      const measured = report.identification.filter(({ points }) =>
        points.some(({ level }) => level === undefined),
      );
      assert.ok(measured.length > 0 && measured.every((one) => one.reference === reference));
      assert.ok(reportPack(report, 'largest').includes(words));
    }
  });

  it('names pictures that lie in the wrong folder', async (t) => {
    const { samples } = await lay(t, true);
    const { suspects } = await measurePack(samples, settings());
    const short = ({ files }: { files: string[] }) =>
      files.map((file) => file.split(path.sep).slice(-2).join('/')).sort();
    assert.ok(suspects.alike.some((pair) => short(pair).join() === 'p0/wrong.jpg,p3/4.jpg'));
    assert.deepEqual(
      suspects.apart.map(({ file }) => file.split(path.sep).slice(-2).join('/')),
      ['p0/wrong.jpg'],
    );
  });

  it('needs two faces', async (t) => {
    const { samples } = await lay(t);
    await assert.rejects(measurePack(samples.slice(0, 1), settings()), { code: 'SETUP' });
  });

  it('is told in tables and drawn', async (t) => {
    const { samples } = await lay(t, true);
    const one = await measurePack(samples, settings());
    const reports = [one, { ...one, pack: 'a<b' }];
    const text = reportPack(one, 'largest');
    assert.match(text, /^## tiny/);
    assert.match(text, /50 pictures of 12 people and 12 strangers/);
    assert.match(text, /no face: .*hill\.jpg/);
    assert.match(text, /Unlike all other pictures of their person[^]*wrong\.jpg/);
    assert.match(text, /\| 12 {10,}\| 1 /);
    assert.match(text, /Fixed thresholds, for a pack without a curve: identical 0\.0/);
    assert.doesNotMatch(text, /NaN|undefined|Infinity/);
    assert.match(compareReports(reports), /\| a<b/);
    const plots = drawReports(reports);
    assert.deepEqual([...plots.keys()], ['det-verification.svg', 'det-identification.svg']);
    for (const svg of plots.values()) {
      assert.doesNotMatch(svg, /NaN|undefined|a<b/);
      assert.match(svg, /a&lt;b/);
    }
  });
});
