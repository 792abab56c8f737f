import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { loopDelayP99 } from '../../src/platform/loop-delay.js';
import { testApp } from '../support/app.js';

/** The limits are looked at once a second: far longer than that takes on any machine. */
const PATIENCE = 60_000;

type Body = Record<string, string>;

async function opened(t: TestContext, settings: Parameters<typeof testApp>[1]) {
  const { app } = await testApp(t, settings);
  const ask = () => app.inject('/api/groups');
  /** Asks until an answer has this status. @param between what is done between two calls */
  async function askUntil(status: number, between: () => void) {
    for (const until = performance.now() + PATIENCE; performance.now() < until;) {
      const answer = await ask();
      if (answer.statusCode === status) return answer;
      between();
      await turn();
    }
    return await ask();
  }
  return { app, askUntil };
}

/** Keeps the event loop from turning. */
function stall(milliseconds: number): void {
  for (const until = performance.now() + milliseconds; performance.now() < until;);
}

describe('an overloaded process', () => {
  it('answers 503 with Retry-After while its heap is too large, but says that it lives', async (t) => {
    const { app, askUntil } = await opened(t, { MAX_HEAP_BYTES: 1 });
    const answer = await askUntil(503, () => undefined);
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.headers['retry-after'], '5');
    assert.equal(answer.json<Body>().mid, 'E9002');
    assert.equal((await app.inject('/api/v1/health')).statusCode, 200);
  });

  it('looks at its heap where no more files can be opened, as when it is overloaded', async (t) => {
    t.mock.method(process, 'memoryUsage', () => {
      throw new Error('EMFILE: too many open files, uv_resident_set_memory');
    });
    const { askUntil } = await opened(t, { MAX_HEAP_BYTES: 1 });
    assert.equal((await askUntil(503, () => undefined)).statusCode, 503);
  });

  it('answers 503 while its event loop turns too late, and no longer', async (t) => {
    const { askUntil } = await opened(t, { MAX_EVENT_LOOP_DELAY: 100 });
    assert.equal((await askUntil(503, () => stall(300))).statusCode, 503);
    assert.ok(loopDelayP99() > 100, 'and the status says so');
    assert.equal((await askUntil(200, () => undefined)).statusCode, 200);
  });
});
