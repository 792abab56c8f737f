import type { TestContext } from 'node:test';
import { type RemoteRedis, withRemoteCommands } from '../../src/gallery/remote/commands.js';
import { connectGallery } from '../../src/gallery/store/redis-store.js';
import type { RedisSettings } from '../../src/platform/redis.js';

/** What happens before a command is sent, and after its answer before whoever asked goes on: what others do meanwhile. */
export interface RedisHooks {
  before?: (command: string) => Promise<void>;
  after?: (command: string) => Promise<void>;
}

/** A connection of its own, closed with the test. */
export async function connectHooked(
  t: TestContext,
  settings: RedisSettings,
): Promise<{ redis: RemoteRedis; hooked: RemoteRedis; hooks: RedisHooks }> {
  const redis = withRemoteCommands(await connectGallery(settings));
  t.after(() => {
    redis.disconnect();
  });
  const hooks: RedisHooks = {};
  const hooked = new Proxy(redis, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        await hooks.before?.(String(name));
        const answer: unknown = await (value as (...all: unknown[]) => unknown).apply(target, args);
        await hooks.after?.(String(name));
        return answer;
      };
    },
  });
  return { redis, hooked, hooks };
}
