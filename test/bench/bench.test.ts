import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { compareReports, describeComparison } from '../../src/bench/compare.js';
import type { BenchContext, Effort } from '../../src/bench/effort.js';
import { composeFrame } from '../../src/bench/frames.js';
import { benchEvents } from '../../src/bench/events.js';
import { benchHttp } from '../../src/bench/http.js';
import { type Report, type Row, quantile, toMarkdown } from '../../src/bench/report.js';
import { runBench } from '../../src/bench/run.js';
import { benchStages } from '../../src/bench/stages.js';
import { main } from '../../src/cli/bench.js';
import { loadConfig } from '../../src/settings/config.js';
import { preparePack } from '../../src/models/packs/prepare.js';
import { createAnalyzer } from '../../src/vision/analyzer.js';
import { temporaryFolder } from '../support/temporary.js';

const TINY: Effort = {
  repeats: 1,
  seconds: 0.05,
  clients: [1, 2],
  sizes: [50, 3000],
  searches: 5,
  people: 2,
  enrolments: 1,
  soakFrames: 100,
  workers: 1,
  cameras: 1,
};

const REPORT: Report = {
  format: 'kaomon-bench',
  version: '0',
  at: '2026-01-01T00:00:00.000Z',
  machine: { cpu: 'a cpu', cores: 2, memoryGb: 8, node: '20', platform: 'linux x64', load: [0, 0] },
  command: 'npm run bench',
  notes: [],
  rows: [],
};

const row = (measure: string, median: number, unit: Row['unit'] = 'ms'): Row => ({
  ...{ section: 'http', of: '1 client', measure, unit, median, samples: 9 },
});

/** A context that keeps what it is told. */
async function contextOf(t: TestContext) {
  const rows: Row[] = [];
  const notes: string[] = [];
  const context: BenchContext = {
    effort: TINY,
    folder: await temporaryFolder(t),
    add: (added) => rows.push(added),
    note: (note) => notes.push(note),
  };
  return { context, rows, notes };
}

describe('the benchmark', () => {
  it('takes the middle and the 95th of a hundred', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 99 - i);
    assert.deepEqual([quantile(hundred, 0.5), quantile(hundred, 0.95), quantile([7], 0.95)], [50, 95, 7]);
  });

  it('measures searches and saves a run for programs and for people', async (t) => {
    const folder = await temporaryFolder(t);
    const { report, files } = await runBench({
      config: loadConfig({}),
      effort: TINY,
      sections: ['search'],
      folder,
      command: 'npm run bench -- --only search',
      say: () => undefined,
    });
    assert.ok(report.rows.length >= 6);
    for (const { median, samples } of report.rows) assert.ok(Number.isFinite(median) && samples > 0);
    assert.deepEqual(JSON.parse(await readFile(files.json, 'utf8')), report);
    const table = await readFile(files.markdown, 'utf8');
    assert.match(table, /\| ONNX \|/);
    assert.match(table, /\| 3,000 \|/);
  });

  it('measures the stages of a frame, a server under load and how one worker hears of another', async (t) => {
    const { context, rows } = await contextOf(t);
    const { MODELS_DIR } = loadConfig({});
    const pack = await preparePack('faceapi', { modelsDir: MODELS_DIR });
    const frame = { name: '1 face', bytes: await composeFrame('1 face') };
    await benchStages(pack, [frame], context);
    const stages = rows.map(({ measure }) => measure);
    for (const stage of ['decode', 'detect', 'embed', 'whole']) assert.ok(stages.includes(stage), stage);
    const env = { MODEL_PACK: 'faceapi', MODELS_DIR, VISION_THREADS: '1' };
    await benchHttp({ pack, env }, [frame], context);
    await benchEvents(env, context);
    const events = rows.filter(({ section }) => section === 'events');
    assert.deepEqual(
      events.map(({ measure, samples }) => [measure, samples]),
      [['known after', TINY.enrolments]],
    );
    const cases = rows.filter(({ section, unit }) => section === 'http' && unit === '/s').map(({ of }) => of);
    // Where the detector has loops of our own, the other way is measured beside it.
    const usual = cases.filter((of) => !of.endsWith('ONNX Runtime'));
    assert.deepEqual(usual, ['1 client, 1 face', '2 clients, 1 face']);
  });

  it('has real faces before it in every clone, as many as a frame’s name says', async () => {
    const { MODELS_DIR } = loadConfig({});
    const pack = await preparePack('faceapi', { modelsDir: MODELS_DIR });
    const analyzer = await createAnalyzer({
      ...{ pack, providers: ['cpu'], threads: 1, maxPixels: 960 * 540, minFaceSize: 20 },
    });
    const names = ['no face', '1 face', '6 faces', '32 faces'] as const;
    const frames = await Promise.all(names.map(composeFrame));
    const analyses = await analyzer.analyze(frames.map((bytes) => ({ bytes, options: { embed: false } })));
    await analyzer.release();
    assert.deepEqual(
      analyses.map((each) => (each.status === 'fulfilled' ? each.value.faces.length : String(each.reason))),
      [0, 1, 6, 32],
    );
  });

  it('writes a table a section, cases down and measures across', () => {
    const rows = [row('latency', 12.34), { ...row('frames', 3, '/s'), of: '8 clients' }];
    const lines = toMarkdown({ ...REPORT, rows, notes: ['a note'] }).split('\n');
    assert.ok(lines.includes('- a note'));
    assert.deepEqual(lines.slice(-5, -1), [
      '| | latency | frames |',
      '|---|---|---|',
      '| 1 client | 12.3 |  |',
      '| 8 clients |  | 3.0 /s |',
    ]);
  });
});

describe('the comparison of two runs', () => {
  const before = { ...REPORT, rows: [row('a', 10), row('b', 10), row('c', 100, '/s'), row('gone', 1)] };
  const after = { ...REPORT, rows: [row('a', 11), row('b', 14), row('c', 50, '/s'), row('new', 1)] };

  it('knows of which units more is better, and leaves out what one of them lacks', () => {
    const compared = compareReports(before, after);
    assert.deepEqual(
      compared.map(({ place, worse }) => [place.split(' / ')[2], worse]),
      [
        ['c', 2],
        ['b', 1.4],
        ['a', 1.1],
      ],
    );
    const text = describeComparison(compared, 0.3);
    assert.match(text, /c: 100\.00 -> 50\.00 \/s \(2\.00 times worse\)/);
    assert.match(text, /3 compared: 2 worse, 0 better/);
  });

  it('ends with 1 when anything became worse by more than the margin, with 0 otherwise', async (t) => {
    t.mock.method(console, 'log', () => undefined);
    t.mock.method(console, 'error', () => undefined);
    const folder = await temporaryFolder(t);
    const [a, b, other] = ['a.json', 'b.json', 'other.json'].map((name) => path.join(folder, name));
    await writeFile(a, JSON.stringify(before));
    await writeFile(b, JSON.stringify(after));
    await writeFile(other, '{}');
    assert.equal(await main(['--compare', a, b]), 1);
    assert.equal(await main(['--compare', b, a]), 0);
    assert.equal(await main(['--compare', a, b, '--margin', '1.5']), 0);
    for (const wrong of [[a], [a, other], [a, path.join(folder, 'none.json')], [a, b, '--margin', '0']]) {
      assert.equal(await main(['--compare', ...wrong]), 1);
    }
    assert.equal(await main(['--only', 'nothing']), 1);
  });
});
