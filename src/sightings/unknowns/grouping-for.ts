import type { ReadyPack } from '../../models/types.js';
import { type Config, enrolLimits } from '../../settings/config.js';
import type { GroupingSettings } from './grouping.js';

/** How strangers are grouped with a pack: plain data, for the store's thread. */
export function groupingFor({ embedder, curve, thresholds }: ReadyPack, config: Config): GroupingSettings {
  return {
    length: embedder.length,
    pack: { thresholds, ...(curve && { curve }) },
    limits: enrolLimits(config),
  };
}
