import type { Damaged } from '../platform/files/damage.js';
import type { GalleryEvent } from './event.js';
import type { TrimLimits } from './log.js';
import type { LogSettings } from './open-log.js';

/** From a worker to its event manager. */
export type ToManager =
  | { type: 'follow'; settings: LogSettings; worker: string; position: string; limits: TrimLimits }
  /** The worker's index has everything up to here; the next batch may come. */
  | { type: 'applied'; position: string };

/** From an event manager to its worker. Each batch or reload is answered by `applied` before the next is sent. */
export type ToWorker =
  | { type: 'events'; events: GalleryEvent[]; position: string }
  | { type: 'reload'; position: string }
  | { type: 'trouble'; reason: string | null }
  /** Something of the log is damaged, and was passed over. */
  | ({ type: 'damaged' } & Damaged)
  /** What the log needs now and then does not work; the reason, told once. */
  | { type: 'notice'; reason: string };
