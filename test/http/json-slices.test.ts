import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { parseInSlices } from '../../src/http/intake/json-slices.js';

const LIMITS = { fields: 1000, values: 1_000_000, depth: 40, bytes: 20_000_000 };
const { signal } = new AbortController();
const parse = (text: string) => parseInSlices(Buffer.from(text), LIMITS, signal);

/** Lists long enough to be parsed by themselves, among everything else that JSON may hold. */
const long = fc.array(fc.oneof(fc.double({ noNaN: true }), fc.integer(), fc.constant(null)), {
  minLength: 90,
  maxLength: 150,
});
const { value: anything } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    long,
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
  ),
}));

describe('JSON in slices', () => {
  it('is what JSON.parse makes of it', async () => {
    await fc.assert(
      fc.asyncProperty(anything, fc.constantFrom(undefined, 1), async (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        assert.deepEqual(await parse(text), JSON.parse(text));
      }),
    );
  });

  it('is refused where JSON.parse refuses it', async () => {
    const numbers = Array.from({ length: 200 }, (_, i) => i).join();
    for (const text of [
      `[${numbers}`,
      `[${numbers},]`,
      `[${numbers}]]`,
      `{"a"[${numbers}]}`,
      `{[${numbers}]: 1}`,
      `[${numbers} 3]`,
      `[${numbers}, x]`,
      `1[${numbers}]`,
      '"',
      '',
    ])
      await assert.rejects(parse(text), SyntaxError, text.slice(-20));
  });

  it('lets others have their turn, and stops for whoever has hung up', async () => {
    const embeddings = Array.from({ length: 1000 }, () => Array.from({ length: 512 }, Math.random));
    const text = JSON.stringify({ embeddings });
    let turns = 0;
    let isOver = false as boolean;
    const counting = (async () => {
      for (; !isOver; turns++) await turn();
    })();
    assert.deepEqual(await parse(text), { embeddings });
    isOver = true;
    await counting;
    assert.ok(turns > 5, `${turns} turns`);
    const gone = new AbortController();
    const parsing = parseInSlices(Buffer.from(text), LIMITS, gone.signal);
    gone.abort();
    await assert.rejects(parsing, { code: 'CLIENT_GONE' });
  });
});
