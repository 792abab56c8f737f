import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { segmentsAddon, segmentsRefusal } from '../../src/gallery/base/segments-addon.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomUnitVector } from '../support/vectors.js';
import {
  anything,
  below,
  type Call,
  isRefused,
  oneOf,
  random,
  wrongOnes,
} from '../support/wrong-arguments.js';

describe('the addon for segments', { skip: segmentsRefusal() ?? false }, () => {
  const LENGTH = 8;
  const ROWS = 300;
  const addon = segmentsAddon as unknown as { map: Call } & Record<
    'MappedVectors' | 'ListTraining',
    new (...args: unknown[]) => Record<string, Call>
  >;
  const right = new Float32Array(LENGTH).fill(0.5);
  const made = async (t: TestContext) => {
    const file = path.join(await temporaryFolder(t), 'vectors.f32');
    const vectors = Array.from({ length: ROWS }, () => randomUnitVector(random, LENGTH));
    await writeFile(file, Buffer.concat(vectors.map(({ buffer }) => new Uint8Array(buffer))));
    return file;
  };
  const wrongPaths = [undefined, null, 3, {}, 'a\0b', new Uint8Array(3), 1n, Symbol('s')];

  const checked = process.env.KAOMON_CHECKED;
  it(
    'is the build with sanitizers where that is what is checked',
    { skip: checked ? false : 'by npm run native:check' },
    () => {
      assert.ok(readFileSync('/proc/self/maps', 'utf8').includes(`${checked}/segments/`));
    },
  );

  it('refuses each argument that does not fit', async (t) => {
    const file = await made(t);
    for (const wrong of wrongPaths) {
      assert.ok(isRefused(() => addon.map(wrong)));
      assert.ok(isRefused(() => new addon.MappedVectors(wrong, LENGTH, ROWS)));
      for (const place of [0, 3, 6]) {
        const args: unknown[] = [file, LENGTH, ROWS, `${file}.lists`, 4, 1, ''];
        assert.ok(isRefused(() => new addon.ListTraining(...args.with(place, wrong))));
      }
    }
    for (const wrong of wrongOnes(1, true)) {
      assert.ok(isRefused(() => new addon.MappedVectors(file, wrong, ROWS)));
      assert.ok(isRefused(() => new addon.MappedVectors(file, LENGTH, wrong)));
      for (const place of [1, 2, 4, 5]) {
        const args: unknown[] = [file, LENGTH, ROWS, `${file}.lists`, 4, 1, ''];
        assert.ok(isRefused(() => new addon.ListTraining(...args.with(place, wrong))));
        assert.ok(isRefused(() => new addon.ListTraining(...args.with(place, 0))));
      }
    }
    assert.ok(isRefused(() => new addon.ListTraining(file, LENGTH, ROWS, `${file}.lists`, ROWS + 1, 1, '')));
    const vectors = new addon.MappedVectors(file, LENGTH, ROWS);
    for (const wrong of [
      ...[...wrongOnes(right, true), new Float32Array(LENGTH + 1), new Float32Array(0)],
      ...[right.map(() => NaN), right.with(3, Infinity), right.with(7, -Infinity), right.with(0, 3e38)],
    ])
      assert.ok(isRefused(() => vectors.search(wrong, 1)));
    for (const wrong of wrongOnes(1, true)) {
      assert.ok(isRefused(() => vectors.search(right, wrong)));
      assert.ok(isRefused(() => vectors.setNprobe(wrong)));
      assert.ok(isRefused(() => vectors.remove(wrong, 0)));
      assert.ok(isRefused(() => vectors.remove(0, wrong)));
      assert.ok(isRefused(() => vectors.vectorAt(wrong)));
    }
    for (const wrong of [
      ...[null, 3, {}, [0, 1], Uint32Array.of(0, 1), Int32Array.of(0), Int32Array.of(0, ROWS + 1)],
      ...[Int32Array.of(-1, 1), Int32Array.of(2, 1), Int32Array.of(0, 5, 4, 6)],
    ])
      assert.ok(isRefused(() => vectors.search(right, 1, wrong)));
    for (const wrong of wrongPaths) assert.ok(isRefused(() => vectors.openLists(wrong)));
    assert.ok(isRefused(() => vectors.remove(1, ROWS)));
    assert.ok(isRefused(() => vectors.vectorAt(ROWS)));
    assert.throws(() => vectors.search.call({}, right, 1), TypeError);
    const training = new addon.ListTraining(file, LENGTH, ROWS, `${file}.lists`, 4, 1, '');
    const run = training.run();
    assert.throws(() => training.run(), /has run/);
    await run;
    await vectors.close();
    assert.throws(() => vectors.close(), /closed/);
  });

  it('does a call or refuses it, whatever the arguments are and whatever goes on', async (t) => {
    const file = await made(t);
    const training = new addon.ListTraining(file, LENGTH, ROWS, `${file}.lists`, 4, 1, '');
    await training.run();
    let answered = 0;
    let refused = 0;
    for (let round = 0; round < 20; round++) {
      const vectors = new addon.MappedVectors(file, LENGTH, ROWS);
      const pending: Promise<unknown>[] = [];
      for (let i = 0; i < 400; i++) {
        const verb = oneOf(['search', 'search', 'remove', 'vectorAt', 'openLists', 'setNprobe'] as const);
        const from = below(ROWS);
        const fitting: unknown[] = {
          search: [
            randomUnitVector(random, LENGTH),
            1 + below(9),
            oneOf([undefined, Int32Array.of(from, ROWS)]),
          ],
          remove: [from, below(3) < 2 ? 0 : Math.min(2, ROWS - from)],
          vectorAt: [from],
          openLists: [`${file}.lists`],
          setNprobe: [1 + below(9)],
        }[verb];
        let args: unknown[] = Array.from({ length: below(5) }, anything);
        if (random() < 0.8) args = random() < 0.2 ? fitting.with(below(fitting.length), anything()) : fitting;
        try {
          const answer = vectors[verb](...args);
          answered += 1;
          if (answer instanceof Promise)
            pending.push(answer.catch((error: unknown) => assert.match(String(error), /closed|cannot open/)));
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          refused += 1;
        }
      }
      const closed = vectors.close();
      await Promise.all(pending);
      await closed;
    }
    assert.ok(answered > 4000 && refused > 800, `${answered} answered, ${refused} refused`);
  });
});
