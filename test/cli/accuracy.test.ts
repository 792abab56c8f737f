import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { PackReport } from '../../src/accuracy/measure.js';
import { runKaomon } from '../support/command.js';
import { portrait } from '../support/photographs.js';
import { greyJpeg } from '../support/pictures.js';
import { temporaryFolder } from '../support/temporary.js';

/** The report without the lines of progress before it. */
const jsonOf = (text: string) =>
  JSON.parse(/^\{\n[^]*^\}$/m.exec(text)?.[0] ?? '') as { notes: string[]; packs: PackReport[] };

describe('kaomon accuracy', () => {
  let people: string;
  let env: Record<string, string>;
  const accuracy = (...words: string[]) =>
    runKaomon(['accuracy', people, '--pack', 'faceapi', '--quick', ...words], env);

  before(async () => {
    const folder = await temporaryFolder({ after });
    people = path.join(folder, 'people');
    env = { CACHE_DIR: path.join(folder, 'cache'), VISION_THREADS: '2' };
    for (const [name, who] of [
      ['花子', 'ann'],
      ['ken', 'hue'],
    ] as const) {
      await mkdir(path.join(people, name), { recursive: true });
      for (const size of [400, 500]) {
        await writeFile(path.join(people, name, `${size}.jpg`), await portrait(who, { size }));
      }
    }
    await writeFile(path.join(people, 'ken', 'hill.jpg'), await greyJpeg());
    await writeFile(path.join(people, 'ken', 'cut.jpg'), (await portrait('hue')).subarray(0, 9_000));
  });

  it('measures folders of pictures, with names of any kind, and says which hold no face', async () => {
    const { code, text } = await accuracy('--json', '--svg', path.join(env.CACHE_DIR, 'plots'));
    assert.equal(code, 0, text);
    const [report] = jsonOf(text).packs;
    assert.equal(report.pack, 'faceapi');
    assert.deepEqual(report.verification.pairs, { genuine: 4, impostor: 4 });
    const faceless = new Map(report.faceless.map(({ file, problem }) => [path.basename(file), problem]));
    assert.deepEqual([...faceless.keys()].sort(), ['cut.jpg', 'hill.jpg']);
    assert.match(faceless.get('cut.jpg') ?? '', /damaged/);
    assert.equal(report.verification.eer, 0);
    const svg = await readFile(path.join(env.CACHE_DIR, 'plots', 'det-verification.svg'), 'utf8');
    assert.match(svg, /^<svg/);
  });

  it('answers for people in tables, from what it kept', async () => {
    const { code, text } = await accuracy();
    assert.equal(code, 0, text);
    assert.match(text, /## faceapi/);
    assert.match(text, /Failure to acquire \(FTA\): 2 of 6 pictures, 33\.3 %/);
    const summary = await accuracy('--summary');
    assert.match(summary.text, /^\| faceapi \| 33\.3 %/m);
    assert.doesNotMatch(summary.text, /##/);
  });

  it('is what kaomon calibrate has become', async () => {
    const { code, text } = await runKaomon(['calibrate', people, '--pack', 'faceapi', '--json'], env);
    assert.equal(code, 0, text);
    assert.match(text, /kaomon calibrate is kaomon accuracy now/);
    assert.equal(jsonOf(text).packs[0].conditions.length, 0);
  });

  it('says what is wrong with the command line in one line', async () => {
    const wrong: [string[], RegExp][] = [
      [['--except', 'nobody'], /--except nobody: there is no picture or folder of that name/],
      [['--face', 'left'], /--face must be largest or centre, not "left"/],
      [['--nonsense'], /nonsense/],
    ];
    for (const [words, message] of wrong) {
      const { code, text } = await accuracy(...words);
      assert.equal(code, 1);
      assert.match(text, message);
      assert.doesNotMatch(text, /^\s+at /m);
    }
    const { code, text } = await runKaomon(['accuracy'], env);
    assert.equal(code, 1);
    assert.match(text, /Name a folder of people/);
  });
});
