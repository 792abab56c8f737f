/** What holds for a gallery in memory holds for one that no process holds: the same tests, over Redis and an engine. */
import { after } from 'node:test';
import type { RemoteStore } from '../../src/gallery/remote/remote-store.js';
import { putElsewhere } from '../support/galleries.js';
import { createPlainEngine, type PlainEngine } from '../support/plain-engine.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { forWholeFile } from '../support/redis-kinds.js';
import { openRemoteStore } from '../support/remote-stores.js';

const redis = forWholeFile(async (t) => (await startRedis(t)).settings, after);
const places = new Map<string, { prefix: string; engine: PlainEngine }>();
const stores: RemoteStore[] = [];

/** A folder's gallery is under a prefix of its own, and its engine is always late. */
putElsewhere(async (folder, pack) => {
  const place = places.get(folder) ?? {
    prefix: `test${places.size}`,
    engine: createPlainEngine({ late: 30 }),
  };
  places.set(folder, place);
  const settings = await redis();
  const store = await openRemoteStore(
    { ...settings, prefix: place.prefix },
    (ofPack) => Promise.resolve(place.engine.open(ofPack)),
    { pack },
  );
  stores.push(store);
  return store;
});
after(() => Promise.all(stores.map((store) => store.close())));

if (!REDIS_MISSING) {
  await import('./operations.test.js');
  await import('./searched.test.js');
  await import('./corrections.test.js');
}
