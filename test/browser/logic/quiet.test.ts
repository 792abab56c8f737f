import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pauseAfter } from '../../../src/browser/logic/quiet.js';

describe('frames', () => {
  it('wait a tenth of a second where nobody is there and nothing moves, and never else', () => {
    assert.equal(pauseAfter({ faces: [], full: false }), 100);
    for (const answer of [
      { faces: [], full: true },
      { faces: [{}], full: false },
      { faces: [{}], full: true },
      // Of an older server.
      { faces: [] },
    ])
      assert.equal(pauseAfter(answer), 0, JSON.stringify(answer));
  });
});
