import { correctionOperations } from './corrections.js';
import { eraseOperations } from './erase.js';
import { happeningOperations } from './happenings.js';
import { readOperations } from './read.js';
import type { Sql } from './database.js';
import { writeOperations } from './write.js';

/** What the store's thread is told besides its file. */
export interface StoreSettings {
  /** A visit is over after so long without a frame, milliseconds. */
  gap: number;
  /** Two embeddings are of one person below this distance, squared L2. */
  pair: number;
}

/**
 * All that can be asked of the store, by name: each runs in the store's thread, synchronously, one after the other.
 * Arguments and results are cloned on their way. A part of the program adds its own here.
 */
export const operationsOf = (sql: Sql, settings: StoreSettings) => ({
  ...writeOperations(sql, settings),
  ...readOperations(sql),
  ...happeningOperations(sql),
  ...eraseOperations(sql),
  ...correctionOperations(sql),
});

export type Operations = ReturnType<typeof operationsOf>;
