import { createDamage, type Damage } from '../platform/files/damage.js';
import type { RedisSettings } from '../platform/redis.js';
import { createFileLog } from './file-log.js';
import type { EventLog } from './log.js';

/** Which log, and where; sent to the event manager. */
export type LogSettings =
  { kind: 'file'; folder: string; segmentBytes?: number } | { kind: 'redis'; redis: RedisSettings };

/**
 * @param trouble called with why the log cannot be reached, `undefined` when it can be again @param damage gets what
 *   cannot be read
 */
export async function openLog(
  settings: LogSettings,
  trouble: (reason: string | undefined) => void,
  damage: Damage = createDamage(() => undefined),
): Promise<EventLog> {
  if (settings.kind === 'file') return createFileLog({ ...settings, damage });
  // Loaded only where it is used, to keep a start with the file log fast.
  const { createRedisLog } = await import('./redis-log.js');
  return createRedisLog(settings.redis, trouble, damage);
}
