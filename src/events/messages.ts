import type { Damaged } from '../platform/files/damage.js';
import type { GalleryEvent } from './event.js';
import type { TrimLimits } from './log.js';
import type { Settling } from './open-changes.js';
import type { LogSettings } from './open-log.js';

/** From a worker to its event manager. */
export type ToManager =
  | {
      type: 'follow';
      settings: LogSettings;
      worker: string;
      position: string;
      limits: TrimLimits;
      settleAfter: readonly number[];
    }
  /** The worker's index has the last batch, or is what the store says; the next one may come. */
  | { type: 'applied' };

/**
 * From an event manager to its worker. `position` is where the next manager continues if this one dies. Each `events`
 * and `reload` is answered by `applied` before the next is sent.
 */
export type ToWorker =
  /** What other workers did, in the order of the log. */
  | { type: 'events'; events: GalleryEvent[]; position: string }
  | { type: 'reload'; position: string }
  /** The log has nothing for this worker up to here. */
  | { type: 'position'; position: string }
  /** A change is still open: check in the store what became of it. */
  | { type: 'settle'; begun: GalleryEvent; how: Settling }
  /** The worker has applied everything that the log held a moment ago; sent once. */
  | { type: 'reached' }
  | { type: 'trouble'; reason: string | null }
  /** A part of the log is damaged and was passed over. */
  | ({ type: 'damaged' } & Damaged)
  /** The log's regular upkeep fails; the reason, sent once. */
  | { type: 'notice'; reason: string };
