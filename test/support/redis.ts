import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { openRedis, type RedisSettings, untilReady } from '../../src/platform/redis.js';
import { freePort } from './port.js';
import { temporaryFolder } from './temporary.js';

/** False when redis-server can be started here, else the reason to skip. */
export const REDIS_MISSING: false | string =
  spawnSync('redis-server', ['--version']).status === 0
    ? false
    : 'needs redis-server, which is not installed here';

/** Of every Redis that a test starts. */
export const REDIS_PASSWORD = 'only-for-tests';

export const redisSettings = (url: string, more: Partial<RedisSettings> = {}): RedisSettings => ({
  ...{ url, password: REDIS_PASSWORD, sentinelPassword: '', ca: '', prefix: 'test', ...more },
});

/** Resolves when a Redis that was just started takes commands. */
export async function untilAnswers(settings: RedisSettings): Promise<void> {
  const connection = openRedis(settings, 'commands', () => undefined);
  await untilReady(connection, 20_000);
  connection.disconnect();
}

/** A Redis server of the test's own, on a free port of the loopback, with every write on disk before its answer. */
export interface TestRedis {
  settings: RedisSettings;
  child: ChildProcess;
  /** Ends it. @param signal SIGKILL: as a crash */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port with the same data. */
  start(): Promise<void>;
}

export async function startRedis(t: Pick<TestContext, 'after'>, more: string[] = []): Promise<TestRedis> {
  const folder = await temporaryFolder(t);
  const port = await freePort();
  const settings = redisSettings(`redis://127.0.0.1:${port}`);
  const redis: TestRedis = {
    settings,
    child: launch(),
    async stop(signal = 'SIGKILL') {
      if (redis.child.exitCode !== null || redis.child.signalCode !== null) return;
      const exited = once(redis.child, 'exit');
      redis.child.kill(signal);
      await exited;
    },
    async start() {
      await redis.stop();
      redis.child = launch();
      await untilAnswers(settings);
    },
  };

  function launch(): ChildProcess {
    const options = [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--requirepass', REDIS_PASSWORD],
      ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', '', ...more],
    ];
    return spawn('redis-server', options, { stdio: 'ignore' });
  }

  t.after(() => redis.stop());
  await untilAnswers(settings);
  return redis;
}
