import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { GalleryEvent } from '../../src/events/event.js';
import { createFileLog } from '../../src/events/file-log.js';
import type { ToManager, ToWorker } from '../../src/events/messages.js';
import type { LogSettings } from '../../src/events/open-log.js';
import { freePort } from '../support/port.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

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

type Events = Extract<ToWorker, { type: 'events' }>;

const event = (uid: string, worker: string, more: Partial<GalleryEvent> = {}): GalleryEvent => ({
  uid,
  worker,
  pack: 'tiny',
  kind: 'enrolled',
  at: new Date().toISOString(),
  groupid: 'default',
  faceid: `default-${uid}`,
  ...more,
});

/** A manager of the worker `mine`, and what it has sent; batches are answered as applied. */
async function openManager(t: TestContext, settleAfter: number[]) {
  const folder = await temporaryFolder(t);
  const log = createFileLog({ folder });
  const start = await log.start();
  function follow(position: string) {
    const sent: ToWorker[] = [];
    const manager = fork(MANAGER, [], { execArgv: [], stdio: 'ignore' });
    manager.on('message', (message: ToWorker) => {
      sent.push(message);
      if (message.type === 'events') manager.send({ type: 'applied' } satisfies ToManager);
    });
    const limits = { maxAge: 1e9, maxLength: 1e6 };
    const settings: LogSettings = { kind: 'file', folder };
    manager.send({
      type: 'follow',
      settings,
      worker: 'mine',
      position,
      limits,
      settleAfter,
    } satisfies ToManager);
    const end = async () => {
      if (manager.exitCode !== null || manager.signalCode !== null) return;
      const exited = once(manager, 'exit');
      manager.kill('SIGKILL');
      await exited;
    };
    t.after(end);
    const batches = () => sent.filter((message): message is Events => message.type === 'events');
    const uids = () => batches().flatMap(({ events }) => events.map(({ uid }) => uid));
    const settled = () => sent.flatMap((message) => (message.type === 'settle' ? [message.begun.uid] : []));
    return { batches, uids, settled, end };
  }
  t.after(() => log.close());
  return { log, follow, start };
}

describe('what an event manager sends its worker', () => {
  it('is the changes of others alone, without their beginnings', async (t) => {
    const { log, follow, start } = await openManager(t, []);
    const { batches, uids } = follow(start);
    for (const worker of ['mine', 'another']) {
      await log.append(event(`${worker} begun`, worker, { kind: 'begun' }));
      await log.append(event(worker, worker, { of: `${worker} begun` }));
    }
    await log.append(event('mine again', 'mine'));
    await log.append(event('last', 'another'));
    await until(() => uids().includes('last'));
    assert.deepEqual(uids(), ['another', 'last']);
    assert.equal(batches().at(-1)?.position, await log.start());
  });

  it('has it look after changes that stay open, its own too, and only after those', async (t) => {
    const { log, follow, start } = await openManager(t, [50]);
    const { settled } = follow(start);
    await log.append(event('closed begun', 'another', { kind: 'begun' }));
    await log.append(event('closed', 'another', { of: 'closed begun' }));
    await log.append(event('left open', 'another', { kind: 'begun' }));
    await log.append(event('my own', 'mine', { kind: 'begun' }));
    await until(() => settled().includes('my own'));
    assert.deepEqual(settled(), ['left open', 'my own']);
  });

  it('lets the next manager learn of changes that were open when it died', async (t) => {
    const { log, follow, start } = await openManager(t, [2_000]);
    const first = follow(start);
    await log.append(event('left open', 'another', { kind: 'begun' }));
    await log.append(event('later', 'another'));
    await until(() => first.uids().includes('later'));
    await first.end();
    assert.deepEqual(first.settled(), []);
    const second = follow(first.batches().at(-1)?.position ?? '');
    await until(() => second.settled().includes('left open'));
    assert.deepEqual(second.uids(), ['later']);
  });
});

async function endsWithItsWorker(settings: LogSettings): Promise<void> {
  const message: ToManager = {
    type: 'follow',
    ...{ settings, worker: 'w', position: '', limits: { maxAge: 60_000, maxLength: 100 } },
    settleAfter: [],
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
