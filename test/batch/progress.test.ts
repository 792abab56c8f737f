import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { createProgress, duration } from '../../src/batch/progress.js';

describe('The progress of a batch', () => {
  it('is a plain line at each twentieth and at the end, where there is no terminal', () => {
    const out = new PassThrough();
    const progress = createProgress(1000, out as unknown as NodeJS.WriteStream);
    for (let i = 0; i < 1000; i++) progress.step(i % 10 !== 0);
    progress.end();
    const lines = String(out.read()).trim().split('\n');
    assert.equal(lines.length, 20);
    assert.match(lines[0], /^50 of 1000 pictures, [\d.]+\/s, .+ left, 5 not used$/);
    assert.match(lines[19], /^1000 of 1000 pictures, [\d.]+\/s, 0 s left, 100 not used$/);
  });

  it('says times as people do', () => {
    assert.deepEqual([0, 12, 200, 3900].map(duration), ['0 s', '12 s', '3 min 20 s', '1 h 05 min']);
  });
});
