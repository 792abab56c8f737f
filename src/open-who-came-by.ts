/** Opens who came by as the settings say, among the parts that end with the server. */
import { logSettings, redisSettings } from './gallery/open-store.js';
import type { Gallery } from './gallery/types.js';
import type { ReadyPack } from './models/types.js';
import type { Logger } from './platform/log.js';
import type { RedisSettings } from './platform/redis.js';
import type { Shutdown } from './platform/shutdown.js';
import type { Config } from './settings/config.js';
import type { FindEndings } from './sightings/endings.js';
import type { LeftSightings } from './sightings/left.js';
import type { Sightings } from './sightings/open.js';

/** Undefined where the settings want none. */
export async function openWhoCameBy(
  config: Config,
  pack: ReadyPack,
  gallery: Gallery,
  log: Logger,
  shutdown: Shutdown,
): Promise<Sightings | undefined> {
  if (!config.SIGHTINGS) return undefined;
  const { openSightings } = await import('./sightings/open.js');
  const { groupingFor } = await import('./sightings/unknowns/grouping-for.js');
  const { createDecision } = await import('./identity/decision.js');
  const unknowns = groupingFor(pack, config);
  const pair = createDecision({ pack, config, gallery }).pair();
  const redis = await sharedIn(config);
  const sightings = await openSightings({
    ...{ config, redis, pack: pack.id, pair, gallery, log, unknowns },
    findEndings: await endingsIn(config),
  });
  shutdown.add({ name: 'sightings', close: () => sightings.close() });
  return sightings;
}

/** Machines that share the gallery share who came by. */
async function sharedIn(config: Config): Promise<RedisSettings | undefined> {
  return config.EMBEDDING_STORE === 'redis' ? await redisSettings(config) : undefined;
}

/** Asks the event log, where there is one. */
async function endingsIn(config: Config): Promise<FindEndings | undefined> {
  const settings = await logSettings(config);
  if (!settings) return undefined;
  const { createFindEndings } = await import('./sightings/endings.js');
  return createFindEndings(async () =>
    (await import('./events/open-log.js')).openLog(settings, () => undefined),
  );
}

/** What was kept before, and is only erased from now on. */
export async function openLeft(
  config: Config,
  pack: ReadyPack,
  gallery: Gallery,
  log: Logger,
  shutdown: Shutdown,
): Promise<LeftSightings[]> {
  const { openLeftSightings } = await import('./sightings/left.js');
  const kept = config.SIGHTINGS ? pack.id : undefined;
  const left = await openLeftSightings({
    ...{ config, pack: kept, gallery, log },
    redis: await sharedIn(config),
    findEndings: await endingsIn(config),
  });
  for (const one of left) shutdown.add({ name: 'earlier sightings', close: () => one.close() });
  return left;
}
