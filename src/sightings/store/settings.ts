import type { RedisSettings } from '../../platform/redis.js';
import type { GroupingSettings } from '../unknowns/grouping.js';

/** What the store's thread is told besides its file. */
export interface StoreSettings {
  /** A visit is over after so long without a frame, milliseconds. */
  gap: number;
  /** Two embeddings are of one person below this distance, squared L2. */
  pair: number;
  /** How strangers are grouped. Left out: they are not. */
  unknowns?: GroupingSettings | undefined;
  /** Where machines that share no disk share what they keep. Left out: this machine keeps its own. */
  shared?: SharedSettings | undefined;
}

export interface SharedSettings {
  redis: RedisSettings;
  pack: string;
  /** What this machine kept alone before: the first machine that shares begins with it. */
  own?: string;
}
