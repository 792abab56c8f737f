import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ToManager } from '../../src/events/messages.js';
import type { LogSettings } from '../../src/events/open-log.js';
import { freePort } from '../support/port.js';
import { temporaryFolder } from '../support/temporary.js';

const MANAGER = fileURLToPath(new URL('../../src/events/manager.js', import.meta.url));
/** How long its worker lives, milliseconds: from less than the manager's own start takes to well after it. */
const LIVES = [0, 20, 40, 60, 80, 100, 130, 160, 200, 250, 300, 400];

describe('an event manager', () => {
  it('of files ends when its worker does, however early that is', async (t) => {
    await endsWithItsWorker({ kind: 'file', folder: await temporaryFolder(t) });
  });

  it('of Redis ends when its worker does, however early and whether or not Redis answers', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`;
    await endsWithItsWorker({
      kind: 'redis',
      redis: { url, password: '', sentinelPassword: '', ca: '', prefix: 'test' },
    });
  });
});

async function endsWithItsWorker(settings: LogSettings): Promise<void> {
  const message: ToManager = {
    type: 'follow',
    ...{ settings, worker: 'w', position: '', limits: { maxAge: 60_000, maxLength: 100 } },
  };
  const codes = await Promise.all(
    LIVES.map(async (life) => {
      const manager = fork(MANAGER, [], { execArgv: [], stdio: 'ignore' });
      // A manager that outlives its worker would hold this test file for ever.
      const deadline = setTimeout(() => manager.kill('SIGKILL'), 20_000);
      const exited = once(manager, 'exit');
      manager.send(message);
      await sleep(life);
      manager.disconnect();
      const [code] = (await exited) as [number | null];
      clearTimeout(deadline);
      return code;
    }),
  );
  assert.deepEqual(
    codes,
    LIVES.map(() => 0),
  );
}
