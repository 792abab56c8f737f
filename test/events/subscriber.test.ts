import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GalleryEvent } from '../../src/events/event.js';
import { createFileLog } from '../../src/events/file-log.js';
import { startSubscriber, type SubscriberOptions } from '../../src/events/subscriber.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

const MANAGER = fileURLToPath(new URL('../../src/events/manager.js', import.meta.url));
const manager = (file = MANAGER, execPath = process.execPath) =>
  fork(file, [], { execArgv: [], execPath, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });

const event = (uid: string): GalleryEvent => ({
  ...{ uid, worker: 'another', pack: 'tiny', kind: 'created', at: new Date().toISOString() },
  ...{ groupid: 'default', faceid: `default-${uid}` },
});

/** A subscriber that follows a log of the test's own. */
async function open(t: TestContext, options: Partial<SubscriberOptions> = {}) {
  const folder = await temporaryFolder(t);
  const log = createFileLog({ folder });
  const position = await log.start();
  const warnings: string[] = [];
  const applied: string[] = [];
  const subscriber = startSubscriber({
    ...{
      settings: { kind: 'file', folder },
      worker: 'this',
      position,
      limits: { maxAge: 1e9, maxLength: 1e6 },
    },
    gallery: {
      apply({ uid }) {
        applied.push(uid);
        return Promise.resolve();
      },
      settle: () => Promise.resolve(),
      reload: () => Promise.resolve(),
    },
    warn: (message) => warnings.push(message),
    ...options,
  });
  t.after(async () => {
    await subscriber.close();
    await log.close();
  });
  return { log, subscriber, warnings, applied };
}

describe('a subscriber of the log of events', () => {
  it('tries again when none can be made, names it, and follows once one can', async (t) => {
    const tries: (() => ChildProcess)[] = [
      () => manager(MANAGER, '/nowhere/node'),
      () => {
        throw new Error('spawn ENOMEM');
      },
    ];
    const { log, subscriber, warnings, applied } = await open(t, {
      launch: () => (tries.shift() ?? manager)(),
    });
    await until(() => subscriber.state().manager === 'restarting');
    assert.match(subscriber.state().trouble ?? '', /^The event manager cannot be started: .*ENOENT/);
    await until(() => subscriber.state().manager === 'running');
    assert.equal(subscriber.state().trouble, null);
    assert.equal(warnings.length, 2);
    assert.match(warnings[1], /ENOMEM/);
    await log.append(event('ken'));
    await until(() => applied.includes('ken'));
  });

  it('ends though none was ever made', async (t) => {
    const { subscriber } = await open(t, { launch: () => manager(MANAGER, '/nowhere/node') });
    await subscriber.close();
  });

  it('says what one died of', async (t) => {
    const broken = path.join(await temporaryFolder(t), 'broken.mjs');
    await writeFile(broken, "process.on('message', () => { throw new TypeError('It broke.'); });");
    const tries = [() => manager(broken)];
    const { subscriber, warnings } = await open(t, { launch: () => (tries.shift() ?? manager)() });
    await until(() => warnings.length === 1);
    assert.match(warnings[0], /ended \(exit code 1; TypeError: It broke\.\)/);
    await until(() => subscriber.state().manager === 'running');
    process.kill(subscriber.state().pid ?? 0, 'SIGKILL');
    await until(() => warnings.length === 2);
    assert.match(warnings[1], /ended \(SIGKILL\)/);
  });

  it('misses no end of one whose standard error somebody else holds open', async (t) => {
    const folder = await temporaryFolder(t);
    const [leaving, pids] = [path.join(folder, 'leaving.mjs'), path.join(folder, 'pids')];
    await writeFile(
      leaving,
      `import { spawn } from 'node:child_process';
       import { appendFileSync } from 'node:fs';
       const held = spawn('sleep', ['1000'], { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
       appendFileSync(${JSON.stringify(pids)}, held.pid + ' ');
       process.exit(1);`,
    );
    t.after(async () => {
      const held = (await readFile(pids, 'utf8')).trim().split(' ');
      for (const pid of held) process.kill(Number(pid), 'SIGKILL');
    });
    const tries = [() => manager(leaving)];
    const children: ChildProcess[] = [];
    const launch = () => {
      const child = (tries.shift() ?? manager)();
      children.push(child);
      return child;
    };
    const first = await open(t, { launch });
    await until(() => first.subscriber.state().manager === 'running' && children.length === 2);
    tries.push(() => manager(leaving));
    const second = await open(t, { launch });
    await once(children[2], 'exit');
    await second.subscriber.close();
  });

  it('is never behind by less than nothing, also when a manager dies while its events are applied', async (t) => {
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    let begun = 0;
    let done = 0;
    const { log, subscriber } = await open(t, {
      gallery: {
        async apply() {
          begun += 1;
          await held;
          done += 1;
        },
        settle: () => Promise.resolve(),
        reload: () => Promise.resolve(),
      },
    });
    for (const uid of ['ken', 'ada']) await log.append(event(uid));
    await until(() => begun > 0 && subscriber.state().behind > 0);
    const first = begun;
    process.kill(subscriber.state().pid ?? 0, 'SIGKILL');
    await until(() => subscriber.state().manager === 'restarting');
    assert.equal(subscriber.state().behind, 0);
    go();
    await until(() => done >= first);
    const seen = new Set<number>();
    await until(() => {
      seen.add(subscriber.state().behind);
      return subscriber.state().manager === 'running' && done >= first + 1;
    });
    assert.ok(Math.min(...seen) >= 0, [...seen].join());
    await until(() => subscriber.state().behind === 0);
  });
});
