import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRepeats } from '../../../src/http/repeats.js';
import { testApp } from '../../support/app.js';

describe('the log of refused calls', () => {
  it('has the first of a kind, and then how often it came again', async (t) => {
    const { app, log } = await testApp(t, { AUTH: 'key', RATE_LIMIT: 0 });
    const refused = () => log.filter(({ msg }) => String(msg).startsWith('Refused'));
    for (let n = 0; n < 500; n++) await app.inject(`/api/v1/groups?n=${n}`);
    for (let n = 0; n < 300; n++) await app.inject(`/nowhere/${n}`);
    for (let n = 0; n < 3; n++) await app.inject({ url: '/api/v1/groups', remoteAddress: '198.51.100.7' });
    assert.equal(refused().length, 3);
    assert.deepEqual(
      refused().map(({ status, path, address }) => [status, path, address]),
      [
        [401, '/api/v1/groups', '127.0.0.1'],
        [404, '/nowhere/0', '127.0.0.1'],
        [401, '/api/v1/groups', '198.51.100.7'],
      ],
    );
    app.repeats.flush();
    assert.deepEqual(
      refused()
        .slice(3)
        .map(({ status, route, times }) => [status, route, times]),
      [
        [401, '/api/v1/groups', 499],
        [404, 'none', 299],
        [401, '/api/v1/groups', 2],
      ],
    );
    // Nothing for a minute: the next one is the first again.
    app.repeats.flush();
    await app.inject('/nowhere');
    assert.deepEqual([refused().length, refused().at(-1)?.path], [7, '/nowhere']);
  });

  it('repeats no more than 200 characters of an address, nor does the answer', async (t) => {
    const { app, log } = await testApp(t);
    for (const method of ['GET', 'POST'] as const) {
      const answer = await app.inject({ method, url: `/${'long/'.repeat(2000)}` });
      assert.equal(answer.statusCode, 404);
      assert.ok(answer.body.length < 500, `${answer.body.length} characters`);
    }
    for (const line of log) assert.ok(JSON.stringify(line).length < 600, JSON.stringify(line).slice(0, 300));
  });

  it('has a failure that callers bring about once a minute, too', async (t) => {
    const { app, log, vision } = await testApp(t);
    const payload = { image: 'AAAA' };
    const failed = () => log.filter(({ level }) => Number(level) >= 40);
    for (const failure of [new Error('a fault'), new Error('a fault'), new Error('another')]) {
      vision.failure = failure;
      assert.equal((await app.inject({ method: 'POST', url: '/api/v1/detect', payload })).statusCode, 500);
    }
    assert.equal(failed().length, 2);
    app.repeats.flush();
    assert.equal(failed().at(-1)?.times, 1);
  });

  it('keeps count in bounded memory, whoever asks', (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const repeats = createRepeats();
    const lines: string[] = [];
    for (let n = 0; n < 100_000; n++) {
      repeats.tell(
        `address ${n}`,
        () => lines.push(`first ${n}`),
        (times) => lines.push(`again ${times}`),
      );
    }
    assert.equal(lines.length, 500);
    t.mock.timers.tick(60_000);
    assert.deepEqual(lines.slice(500), ['again 99500']);
    repeats.close();
  });
});
