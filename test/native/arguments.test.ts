import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { type FaissVectors, openFaissVectors } from '../../src/gallery/index/faiss-addon.js';
import { loadAddon } from '../../src/platform/addon.js';
import { huffmanTable, NO_CODES, TABLE_LENGTH } from '../../src/vision/huffman.js';
import { nativeLoops, PHASES, type PixelLoops, scriptedLoops } from '../../src/vision/pixels.js';
import { WITHOUT_FAISS } from '../support/engines.js';
import { randomUnitVector } from '../support/vectors.js';
import {
  anything,
  below,
  type Call,
  isRefused,
  type Numbers,
  oneOf,
  random,
  wrongOnes,
} from '../support/wrong-arguments.js';

/** Whether an argument that is a number must be a whole one, by its place. */
const WHOLE: Record<keyof PixelLoops, (place: number) => boolean> = {
  sumTable: () => true,
  areaMeans: () => true,
  triangle: () => true,
  warp: (place) => place < 3 || place > 6,
  blockSums: () => true,
};

/** Arguments that fit, each array as long as it must be and no longer. */
const FITTING: Record<keyof PixelLoops, () => unknown[]> = {
  sumTable() {
    const [width, height] = [1 + below(9), 1 + below(9)];
    return [bytes(width * height * 3), width, height, new Int32Array((width + 1) * (height + 1) * 3 + 1)];
  },
  areaMeans() {
    const [columns, regionHeight, width, height] = [1 + below(9), 1 + below(9), 1 + below(9), 1 + below(9)];
    const line = (columns + 1) * 3;
    const from = Int32Array.from({ length: width }, () => 3 * below(columns));
    const to = from.map((first) => 3 * (first / 3 + 1 + below(columns - first / 3)));
    const rowTo = 1 + below(height);
    const rowFrom = below(rowTo);
    const sums = new Int32Array(3 * below(3) + regionHeight * line + Math.max(...to) + 4).map(() =>
      below(1e6),
    );
    const corner = sums.length - (regionHeight * line + Math.max(...to) + 4);
    const start = below(4);
    return [
      ...[sums, line, corner, from, to, width, rowFrom, rowTo, regionHeight, height],
      ...[new Float32Array(start + 3 * width * (rowTo - rowFrom)), start],
    ];
  },
  triangle() {
    const [stride, rectHeight, width, height] = [1 + below(9), 1 + below(9), 1 + below(9), 1 + below(9)];
    const [across, down] = [filters(width, stride), filters(height, rectHeight)];
    return [
      ...[bytes(stride * rectHeight * 3), stride, 0, rectHeight, ...across, ...down, width, height],
      ...[bytes(width * rectHeight * 3), bytes(width * height * 3)],
    ];
  },
  warp() {
    const [width, height, size] = [1 + below(9), 1 + below(9), 1 + below(9)];
    const taps = 2 * below(4);
    const weights = new Int32Array(PHASES * taps).map(() => below(8192));
    return [
      ...[bytes(width * height * 3), width, height, random() * 4 - 2, random() * 4 - 2],
      ...[random() * 20 - 5, random() * 20 - 5, weights, taps, size, bytes(size * size * 3)],
    ];
  },
  blockSums() {
    const components = 1 + below(3);
    const sampling = Int32Array.from({ length: 2 * components }, () => 1 + below(4));
    const tables = new Int32Array(2 * components * TABLE_LENGTH);
    for (let at = 0; at < tables.length; at += TABLE_LENGTH) tables.set(oneOf(CODES), at);
    const [across, down, stride] = [1 + below(3), 1 + below(3), 1 + below(4)];
    const columnOf = Int32Array.from({ length: across * sampling[0] }, () => below(stride));
    const rowOf = Int32Array.from({ length: down * sampling[1] }, () => below(3));
    const cells = stride * (Math.max(...rowOf) + 1);
    return [
      ...[bytes(400), below(20), sampling, tables, across, down, below(4)],
      ...[columnOf, rowOf, stride, new Int32Array(cells), new Int32Array(cells)],
    ];
  },
};

/** Codes of 1 to 16 bits, a few of each length, in no order of values. */
const CODES = Array.from({ length: 30 }, () => {
  const counts = Array.from({ length: 16 }, (_, i) => below(i < 2 ? 2 : 3));
  const values = bytes(counts.reduce((sum, count) => sum + count, 0));
  return huffmanTable(Uint8Array.from([...counts, ...values]))?.table.packed ?? NO_CODES.packed;
});

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, () => below(256));
}

/** First, count, values and taps of filters over `inputs`; the last one reaches to the end of what it is taken from. */
function filters(outputs: number, inputs: number): unknown[] {
  const taps = 1 + below(inputs);
  const first = Int32Array.from({ length: outputs }, () => below(inputs - taps + 1));
  const count = Int32Array.from({ length: outputs }, () => below(taps + 1));
  [first[outputs - 1], count[outputs - 1]] = [inputs - taps, taps];
  const values = Int32Array.from({ length: outputs * taps }, () => Math.floor((below(2 ** 20) * 4) / taps));
  return [first, count, values, taps];
}

const copied = (args: unknown[]) =>
  args.map((arg) => (ArrayBuffer.isView(arg) ? (arg as Numbers).slice() : arg));

it(
  'is the build with sanitizers where that is what is checked',
  { skip: checked() ? false : 'by npm run native:check' },
  () => {
    loadAddon('pixels');
    assert.ok(readFileSync('/proc/self/maps', 'utf8').includes(checked() ?? ''));
  },
);

function checked(): string | undefined {
  return process.env.KAOMON_CHECKED;
}

describe('the compiled loops over pixels', { skip: nativeLoops ? false : 'were not compiled here' }, () => {
  const loops = nativeLoops as unknown as Record<keyof PixelLoops, Call>;
  const names = Object.keys(scriptedLoops) as (keyof PixelLoops)[];

  for (const name of names) {
    it(`${name} takes arrays that are just long enough, and refuses each argument that does not fit`, () => {
      for (let i = 0; i < 200; i++) {
        const args = FITTING[name]();
        const [native, scripted] = [copied(args), copied(args)];
        loops[name](...native);
        (scriptedLoops[name] as Call)(...scripted);
        // What lies behind the table is nobody's.
        if (name === 'sumTable')
          for (const { 3: sums } of [native, scripted]) (sums as Int32Array).fill(0, -1);
        assert.deepEqual(native, scripted);
        const place = below(args.length);
        for (const [i, wrong] of wrongOnes(args[place], WHOLE[name](place)).entries()) {
          // A picture may end anywhere.
          if (name === 'blockSums' && place === 0 && wrong instanceof Uint8Array) continue;
          assert.ok(
            isRefused(() => loops[name](...copied(args).with(place, wrong))),
            `argument ${place + 1}, wrong one ${i}`,
          );
        }
      }
    });

    it(`${name} does a call or refuses it, whatever the arguments are`, () => {
      let refused = 0;
      const times = 4000;
      for (let i = 0; i < times; i++) {
        // Wholly made up, or right but for one or two.
        let args: unknown[] = Array.from({ length: below(20) }, anything);
        if (i % 4 !== 0) {
          args = FITTING[name]();
          for (let j = below(2); j >= 0; j--) args = args.with(below(args.length), anything());
        }
        if (isRefused(() => loops[name](...args))) refused += 1;
      }
      assert.ok(refused > times / 2 && refused < times, `${refused} of ${times} refused`);
    });
  }

  it('areaMeans holds to the indexes that it has checked when the output is written over them', () => {
    const shared = new ArrayBuffer(24);
    // The first column's blue mean falls on the second column's window: 1000 as a float is an index beyond everything.
    const from = new Int32Array(shared, 12, 2);
    const out = new Float32Array(shared);
    const sums = Int32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 1000, 1000, 1000, 0);
    loops.areaMeans(sums, 6, 0, from, Int32Array.of(3, 3), 2, 0, 1, 1, 1, out, 0);
    assert.deepEqual([...out], [1000, 1000, 1000, 1000, 1000, 1000]);
  });
});

describe('the addon for memory', { skip: loadAddon('memory') ? false : 'was not compiled here' }, () => {
  const memory = loadAddon('memory') as { map: Call; limitArenas: Call };

  it('refuses each argument that does not fit', () => {
    for (const wrong of [undefined, null, 3, {}, 'a\0b', new Uint8Array(3), 1n, Symbol('s')])
      assert.ok(isRefused(() => memory.map(wrong)));
    assert.throws(() => memory.map('/nowhere'), /cannot open \/nowhere/);
    assert.throws(() => memory.map('/'), /not a file/);
    assert.throws(() => memory.map(''), /cannot open/);
    for (const wrong of [undefined, null, '2', 0, -1, 1.5, NaN, Infinity, 2 ** 31, 1025, {}])
      assert.ok(isRefused(() => memory.limitArenas(wrong)));
  });
});
describe('the class for vectors', { skip: WITHOUT_FAISS }, () => {
  const LENGTH = 8;
  type Verbs = Record<keyof FaissVectors, Call>;

  it('refuses each argument that does not fit', async () => {
    for (const wrong of [undefined, null, '8', 0, -1, 1.5, NaN, 65_537, 2 ** 32 + 8, {}, [8]])
      assert.ok(isRefused(() => openFaissVectors(wrong as number)));
    const vectors = openFaissVectors(LENGTH) as unknown as Verbs;
    const right = new Float32Array(LENGTH).fill(0.5);
    const wrongVectors = [
      ...[...wrongOnes(right, true), new Float32Array(LENGTH + 1), new Float32Array(0)],
      ...[right.map(() => NaN), right.with(3, Infinity), right.with(7, -Infinity), right.with(0, 3e38)],
    ];
    const counts = wrongOnes(1, true).concat(0);
    assert.ok(isRefused(() => vectors.remove(0)));
    vectors.add(right);
    for (const wrong of wrongVectors) {
      assert.ok(isRefused(() => vectors.add(wrong)));
      assert.ok(isRefused(() => vectors.search(wrong, 1)));
    }
    for (const wrong of counts) {
      assert.ok(isRefused(() => vectors.search(right, wrong)));
      assert.ok(isRefused(() => vectors.train(wrong, 1)));
      assert.ok(isRefused(() => vectors.train(1, wrong)));
      assert.ok(isRefused(() => vectors.tidy(wrong)));
      assert.ok(isRefused(() => vectors.setNprobe(wrong)));
    }
    for (const wrong of [...wrongOnes(1, true), 1, 2 ** 40])
      assert.ok(isRefused(() => vectors.remove(wrong)));
    const { labels } = (await vectors.search(right, 2 ** 31 - 1)) as { labels: Float64Array };
    assert.deepEqual([...labels], [0]);
    assert.throws(() => vectors.add.call({}, right), TypeError);
  });

  it('does a call or refuses it, whatever the arguments are and whatever goes on', async () => {
    const vectors = openFaissVectors(LENGTH) as unknown as Verbs;
    const pending: Promise<unknown>[] = [];
    let added = 0;
    let refused = 0;
    for (let i = 0; i < 20_000; i++) {
      const vector = randomUnitVector(random, LENGTH);
      const verb = oneOf([
        'add',
        'add',
        'add',
        'remove',
        'search',
        'train',
        'tidy',
        'setNprobe',
        'info',
      ] as const);
      const fitting = {
        add: [vector],
        remove: [below(added + 1)],
        search: [vector, 1 + below(9)],
        train: [1 + below(40), 1],
        tidy: [1],
        setNprobe: [1 + below(40)],
        info: [],
      }[verb];
      const args = random() < 0.3 ? Array.from({ length: below(4) }, anything) : fitting;
      try {
        const answer = vectors[verb](...args);
        if (verb === 'add') added += 1;
        if (answer instanceof Promise)
          pending.push(answer.catch((error: unknown) => assert.match(String(error), /no lists/)));
      } catch (error) {
        if (error instanceof RangeError) refused += 1;
        else assert.match(String(error), /under way/);
      }
      if (pending.length > 40) await Promise.all(pending.splice(0));
    }
    await Promise.all(pending);
    assert.ok(added > 4000 && refused > 1000, `${added} added, ${refused} refused`);
  });
});
