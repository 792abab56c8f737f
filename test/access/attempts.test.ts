import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createAttempts } from '../../src/access/attempts.js';

const TOO_MANY = (retryAfter: number) => ({ code: 'TOO_MANY_REQUESTS', retryAfter });

/** Work that ends when it is told to. */
function work() {
  let end: () => void = () => undefined;
  const ended = new Promise<string>((resolve) => (end = () => resolve('done')));
  let begun = 0;
  return { begin: () => ((begun += 1), ended), end: () => end(), begun: () => begun };
}

describe('attempts', () => {
  it('answer so many wrong keys of an address as such, and no more until 15 minutes are over', () => {
    let now = 0;
    const attempts = createAttempts(3, () => now);
    for (let n = 0; n < 3; n += 1) attempts.countWrong('a');
    assert.throws(() => attempts.countWrong('a'), TOO_MANY(900));
    attempts.countWrong('b');
    now = 15 * 60_000;
    attempts.countWrong('a');
  });

  it('let few hashes be computed at once, in a line that an address cannot fill', async () => {
    const attempts = createAttempts(1, () => 0);
    const { begin, end, begun } = work();
    const running = ['a', 'b', 'c', 'd'].map((address) => attempts.costly(address, begin));
    await Promise.resolve();
    assert.equal(begun(), 2);
    const others = Array.from({ length: 99 }, () => attempts.costly('a', begin));
    await assert.rejects(attempts.costly('a', begin), TOO_MANY(1));
    attempts.countWrong('e');
    others.push(attempts.costly('e', begin), attempts.costly('e', begin));
    await assert.rejects(attempts.costly('e', begin), TOO_MANY(1), 'who guesses gets two places');
    end();
    assert.ok((await Promise.all([...running, ...others])).every((answer) => answer === 'done'));
    assert.equal(begun(), 4 + 99 + 2);
    assert.equal(await attempts.costly('e', begin), 'done', 'places are free again');
  });
});
