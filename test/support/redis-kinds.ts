import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { RedisSettings } from '../../src/platform/redis.js';
import { ensureSelfSigned } from '../../src/platform/tls.js';
import { freePort } from './port.js';
import { REDIS_PASSWORD, redisSettings, untilAnswers } from './redis.js';
import { temporaryFolder } from './temporary.js';
import { until } from './until.js';

/** Other ways to run Redis than one server: over TLS, as a cluster, kept by Sentinel. All on free ports of the loopback. */

type Owner = Pick<TestContext, 'after'>;

const HOST = '127.0.0.1';
const run = promisify(execFile);

/** A server that ends with the test. */
function serve(t: Owner, args: readonly string[]): ChildProcess {
  const child = spawn('redis-server', args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return child;
}

async function data(t: Owner): Promise<string[]> {
  return ['--dir', await temporaryFolder(t), '--bind', HOST, '--save', '', '--appendonly', 'yes'];
}

const locked = ['--requirepass', REDIS_PASSWORD, '--masterauth', REDIS_PASSWORD];

/** One server that speaks nothing but TLS, by a certificate that only `ca` vouches for. */
export async function startTlsRedis(t: Owner): Promise<RedisSettings> {
  const folder = await temporaryFolder(t);
  const { cert, key } = await ensureSelfSigned({ folder, names: ['localhost'], addresses: [HOST] });
  const [certFile, keyFile] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
  await Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]);
  const port = await freePort();
  serve(t, [
    ...(await data(t)),
    ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'],
    ...['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', certFile],
    ...locked,
  ]);
  const settings = redisSettings(`rediss://${HOST}:${port}`, { ca: cert });
  await untilAnswers(settings);
  return settings;
}

/** Three servers that share the keys. */
export async function startRedisCluster(t: Owner): Promise<RedisSettings> {
  const ports: number[] = [];
  for (let i = 0; i < 3; i++) {
    const port = await freePort();
    ports.push(port);
    serve(t, [
      ...(await data(t)),
      ...['--port', String(port), '--cluster-enabled', 'yes', '--cluster-port', String(await freePort())],
      ...locked,
    ]);
  }
  const places = ports.map((port) => `${HOST}:${port}`);
  const cli = (...words: string[]) =>
    run('redis-cli', ['--no-auth-warning', '-a', REDIS_PASSWORD, ...words]).then(({ stdout }) => stdout);
  for (const port of ports) {
    await until(async () => (await cli('-p', String(port), 'PING').catch(() => '')).includes('PONG'));
  }
  await cli('--cluster', 'create', ...places, '--cluster-replicas', '0', '--cluster-yes');
  for (const port of ports) {
    await until(async () => (await cli('-p', String(port), 'CLUSTER', 'INFO')).includes('cluster_state:ok'));
  }
  const settings = redisSettings(`redis+cluster://${places.slice(0, 2).join(',')}`);
  await untilAnswers(settings);
  return settings;
}

/** Two servers of which Sentinel keeps one the master. */
export async function startSentinel(
  t: Owner,
): Promise<{ settings: RedisSettings; killMaster: () => Promise<void> }> {
  const [first, second, port] = [await freePort(), await freePort(), await freePort()];
  const master = serve(t, [...(await data(t)), '--port', String(first), ...locked]);
  serve(t, [...(await data(t)), '--port', String(second), '--replicaof', `${HOST} ${first}`, ...locked]);
  const config = path.join(await temporaryFolder(t), 'sentinel.conf');
  const lines = [
    `bind ${HOST}`,
    `port ${port}`,
    `requirepass ${REDIS_PASSWORD}-too`,
    `sentinel monitor mymaster ${HOST} ${first} 1`,
    `sentinel auth-pass mymaster ${REDIS_PASSWORD}`,
    'sentinel down-after-milliseconds mymaster 500',
    'sentinel failover-timeout mymaster 3000',
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  serve(t, [config, '--sentinel']);
  const settings = redisSettings(`redis+sentinel://${HOST}:${port}/mymaster`, {
    sentinelPassword: `${REDIS_PASSWORD}-too`,
  });
  await untilAnswers(settings);
  const cli = async (...words: string[]) => (await run('redis-cli', ['--no-auth-warning', ...words])).stdout;
  // Sentinel asks the master who its replicas are; without one it could make nobody the next.
  await until(async () =>
    (
      await cli('-a', `${REDIS_PASSWORD}-too`, '-p', String(port), 'SENTINEL', 'REPLICAS', 'mymaster')
    ).includes(String(second)),
  );
  return {
    settings,
    async killMaster() {
      // What is not yet copied dies with it: that is Redis's bargain, not what is looked at here.
      await cli('-a', REDIS_PASSWORD, '-p', String(first), 'WAIT', '1', '5000');
      const exited = once(master, 'exit');
      master.kill('SIGKILL');
      await exited;
    },
  };
}

/**
 * One Redis for all tests of a file, a prefix of its own for each: a cluster takes seconds to form.
 * @param after Node's, to be called where the tests are declared
 */
export function forWholeFile(
  start: (owner: Owner) => Promise<RedisSettings>,
  after: (end: () => Promise<void>) => void,
): () => Promise<RedisSettings> {
  const ends: (() => unknown)[] = [];
  const owner = { after: (end?: unknown) => void ends.push(end as () => unknown) };
  let started: Promise<RedisSettings> | undefined;
  let count = 0;
  after(async () => {
    for (const end of ends) await end();
  });
  return async () => ({ ...(await (started ??= start(owner))), prefix: `test${count++}` });
}
