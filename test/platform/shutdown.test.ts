import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createShutdown } from '../../src/platform/shutdown.js';

function recorder(patience?: number) {
  const events: string[] = [];
  const log = { info: () => undefined, error: () => events.push('logged') };
  const shutdown = createShutdown(log, (code) => events.push(`exit ${code}`), patience);
  const part = (name: string) => ({
    name,
    close: () => {
      events.push(name);
      return Promise.resolve();
    },
  });
  return { events, shutdown, part };
}

describe('the end of the process', () => {
  it('closes the last part first, and exits after all of them', async () => {
    const { events, shutdown, part } = recorder();
    for (const name of ['vision', 'gallery', 'http']) shutdown.add(part(name));
    assert.equal(shutdown.asked(), false);
    await shutdown.end(0);
    assert.deepEqual(events, ['http', 'gallery', 'vision', 'exit 0']);
  });

  it('waits for a start that is under way, and closes what it opened', async () => {
    const { events, shutdown, part } = recorder();
    let go: () => void = () => undefined;
    const starting = new Promise<void>((resolve) => (go = resolve)).then(() => shutdown.add(part('vision')));
    shutdown.after(starting);
    assert.equal(shutdown.signal.aborted, false);
    const ended = shutdown.end(0);
    assert.equal(shutdown.asked(), true);
    assert.equal(shutdown.signal.aborted, true, 'what takes long in it is told');
    assert.deepEqual(events, []);
    go();
    await ended;
    assert.deepEqual(events, ['vision', 'exit 0']);
  });

  it('is hurried by a second call and exits once, with the worse code', async () => {
    const { events, shutdown } = recorder();
    let cut: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => (cut = resolve));
    shutdown.add({ name: 'http', close: () => slow, hurry: () => cut() });
    const first = shutdown.end(0);
    await shutdown.end(1);
    await first;
    assert.deepEqual(events, ['exit 1']);
  });

  it('hurries by itself when patience is over', async () => {
    const { events, shutdown } = recorder(1);
    let cut: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => (cut = resolve));
    shutdown.add({ name: 'http', close: () => slow, hurry: () => cut() });
    await shutdown.end(0);
    assert.deepEqual(events, ['exit 0']);
  });

  it('closes the rest when one part fails, and says so', async () => {
    const { events, shutdown, part } = recorder();
    shutdown.add(part('vision'));
    shutdown.add({ name: 'http', close: () => Promise.reject(new Error('stuck')) });
    await shutdown.end(0);
    assert.deepEqual(events, ['logged', 'vision', 'exit 1']);
  });
});
