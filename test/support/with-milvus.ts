/**
 * Runs a command beside a Milvus and a Redis of its own, which are ended with it:
 * `node dist/test/support/with-milvus.js npm run bench -- --only fleet`. For measurements; tests start their own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { milvusMissing, startMilvus } from './milvus.js';
import { REDIS_MISSING, startRedis } from './redis.js';

const missing = REDIS_MISSING || (await milvusMissing());
const [command, ...words] = process.argv.slice(2);
if (missing || !command) {
  console.error(missing || 'Usage: node dist/test/support/with-milvus.js COMMAND WORD ...');
  process.exit(1);
}

const ends: (() => unknown)[] = [];
const t = { after: (end?: unknown) => void ends.unshift(end as () => unknown) };
try {
  const { settings } = await startRedis(t, ['--appendfsync', 'everysec']);
  const { env } = await startMilvus(t);
  const where = {
    EMBEDDING_STORE: 'redis',
    EVENT_LOG: 'redis',
    REDIS_URL: settings.url,
    REDIS_PASSWORD: settings.password,
  };
  const child = spawn(command, words, { stdio: 'inherit', env: { ...process.env, ...env, ...where } });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  [process.exitCode = 1] = (await once(child, 'exit')) as [number | undefined];
} finally {
  for (const end of ends) await end();
}
