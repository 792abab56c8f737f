/** A child that appends events and says the uid of each once it is in the log. */
import { createFileLog, type FileLogOptions } from '../../src/events/file-log.js';
import { createRedisLog } from '../../src/events/redis-log.js';
import type { RedisSettings } from '../../src/platform/redis.js';

const [, , text, worker, count] = process.argv;
const settings = JSON.parse(text) as FileLogOptions & { redis?: RedisSettings };
const log = settings.redis ? createRedisLog(settings.redis, () => undefined) : createFileLog(settings);
await log.start();
for (let i = 0; i < Number(count); i++) {
  const uid = `${worker}-${i}`;
  const at = new Date().toISOString();
  await log.append({ kind: 'enrolled', uid, worker, pack: 'tiny', at, groupid: 'g', faceid: 'g-a' });
  process.send?.(uid);
}
await log.close();
process.disconnect();
