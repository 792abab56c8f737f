import type { Damaged } from '../../platform/files/damage.js';
import type { StoreConfig } from '../open-store.js';
import type { SnapshotPlace } from './catalogue.js';
import type { SnapshotReport } from './writer.js';

/** From a worker to its snapshot writer, once. */
export interface ToWriter {
  config: StoreConfig;
  place: SnapshotPlace;
}

/** From a snapshot writer to its worker; it ends after `done` or `failed`. */
export type FromWriter =
  /** How many people were compared with the store, of all. */
  | { type: 'progress'; done: number; all: number }
  | { type: 'notice'; message: string }
  | ({ type: 'damaged' } & Damaged)
  | { type: 'done'; report: SnapshotReport }
  /** `reason` is fit for a log. */
  | { type: 'failed'; reason: string };
