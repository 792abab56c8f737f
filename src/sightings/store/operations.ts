import { correctionOperations } from './corrections.js';
import { eraseOperations } from './erase.js';
import { happeningOperations } from './happenings.js';
import { readOperations } from './read.js';
import { NotYet, type Sql } from './database.js';
import type { StoreSettings } from './settings.js';
import { createGrouping, NO_GROUPING } from '../unknowns/grouping.js';
import { unknownOperations } from '../unknowns/operations.js';
import { undoOperations } from '../unknowns/undo.js';
import { writeOperations } from './write.js';

/**
 * All that can be asked of the store, by name: each runs in the store's thread, synchronously, one after the other.
 * Arguments and results are cloned on their way. A part of the program adds its own here.
 */
export function operationsOf(database: Sql, settings: StoreSettings) {
  const unknowns = settings.unknowns ?? NO_GROUPING;
  const grouping = createGrouping(database, unknowns);
  const sql: Sql = {
    ...database,
    get isWriting() {
      return database.isWriting;
    },
    write(work) {
      try {
        return database.write(work);
      } catch (error) {
        if (!(error instanceof NotYet)) grouping.forget();
        throw error;
      }
    },
  };
  const operations = {
    ...writeOperations(sql, settings, grouping),
    ...readOperations(sql),
    ...happeningOperations(sql),
    ...eraseOperations(sql),
    ...correctionOperations(sql, grouping),
    ...unknownOperations(sql, grouping, unknowns),
    ...undoOperations(sql, grouping),
  };
  return { operations, forget: () => grouping.forget() };
}

export type Operations = ReturnType<typeof operationsOf>['operations'];
/** As they are called by name, from another thread. */
export type AnyOperations = Record<string, (...args: unknown[]) => unknown>;
