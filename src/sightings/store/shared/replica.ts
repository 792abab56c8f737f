/**
 * One machine's copy of the sightings that several share. What an operation writes is one change: its statements, with their
 * values, in a transaction of this file that is committed only when Redis has taken the change after all others that this
 * file knows of. Every machine runs the same statements in the same order, so that rows and their numbers are the same
 * everywhere; what is not of the statements alone (a random number, the time) is a value.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import { quietMessage } from '../../../platform/quiet-error.js';
import { type Database, NotYet, type Sql, type Value } from '../database.js';
import type { AnyOperations, Operations } from '../operations.js';
import { SCHEMA } from '../schema.js';
import { generationOf, hasPassed, type Place, placeOf, putPlace } from './place.js';
import type { Rebasing } from './rebase.js';
import { type Change, LogAway, type SharedLog } from './log.js';

/** How often a change is made again because others made one first. */
const ATTEMPTS = 20;

/** How long an erasure waits for the base that takes the place of what was, milliseconds. */
const PATIENCE = 2000;

/** What erases must be done even where Redis's memory is full, and be gone from the changes of before soon. */
const ERASES: ReadonlySet<keyof Operations> = new Set([
  'erasePeople',
  'eraseSighting',
  'prune',
  'prunePictures',
]);

/** What others wrote changes rows and nothing else, whoever can write to Redis. */
const CHANGES_ROWS = /^\s*(?:INSERT|UPDATE|DELETE)\s/i;

type Statement = [text: string, values: Value[]];
interface Content {
  /** What was there before must not stay in the write-ahead log. */
  erases: boolean;
  /** Of the tables that the statements are for. */
  schema: number;
  statements: Statement[];
}

/** Steps of all parts: a file of another number has other tables. */
const SCHEMA_STEPS = SCHEMA.reduce((sum, { steps }) => sum + steps.length, 0);

/** See above. */
export function createReplica(
  database: Database,
  log: SharedLog,
  rebasing: Rebasing,
  warn: (message: string) => void,
) {
  let told = '';
  let recorded: Statement[] | undefined;
  let generation = generationOf(database);

  /** What operations are made of: it writes within a change only, and notes what it writes. */
  const sql: Sql = {
    ...database,
    run(text, ...values) {
      const result = database.run(text, ...values);
      if (result.changes > 0) recorded?.push([text, values]);
      return result;
    },
    write(work) {
      if (!recorded) throw new NotYet();
      return work();
    },
    get isWriting() {
      return database.isWriting;
    },
  };

  /** Runs the statements of changes, in one transaction. @returns whether they have erased something */
  function apply(changes: readonly Change[]): boolean {
    return database.write(() => {
      let place = placeOf(database);
      const erasing = changes.filter((change) => {
        // Another worker of this machine may have been faster.
        if (change.position !== place.position + 1 || change.before !== place.mark) return false;
        const { erases, schema, statements } = deserialize(change.bytes) as Content;
        if (schema > SCHEMA_STEPS)
          throw new Error(
            'A newer version of Kaomon writes the sightings on another machine: update this one.',
          );
        for (const [text, values] of statements) {
          if (!CHANGES_ROWS.test(text)) throw new Error('A shared change is none of Kaomon’s.');
          database.run(text, ...values);
        }
        place = change;
        putPlace(database, place);
        return erases;
      });
      return erasing.length > 0;
    });
  }

  /** Whether Redis has nothing that this file has not: what others wrote since it lost something is not overwritten. */
  const isOwn = (last: Place) => last.position === 0 || hasPassed(database, last);

  /** Runs the changes that others made. @throws what Redis or SQLite does */
  async function catchUp(): Promise<void> {
    let isUnclean = false;
    for (let replaced = 0; ;) {
      const place = placeOf(database);
      const next = await log.after(place);
      if (next.kind !== 'changes') {
        // What Redis has may have been lost in parts, when another server took over.
        if (replaced++ >= ATTEMPTS) throw new Error('Redis has lost some of what the sightings were.');
        if (next.kind === 'behind' && isOwn(next.last)) await rebasing.restore(next.last);
        else {
          await rebasing.takeOver(place);
          // Somebody may have been erased in what was taken.
          isUnclean = true;
        }
      } else if (next.changes.length > 0) isUnclean = apply(next.changes) || isUnclean;
      else {
        if (isUnclean) database.get('PRAGMA wal_checkpoint(TRUNCATE)');
        return;
      }
    }
  }

  /** That Redis is away, whoever writes hears; what keeps this machine alone from following the others, nobody would. */
  function tellOnce(error: unknown): void {
    const reason = quietMessage(error);
    if (error instanceof LogAway || told === reason) return;
    told = reason;
    warn(`This machine cannot follow what the others keep: ${reason}`);
  }

  /** Whether what is kept in memory of the file is wrong, because the whole of it was replaced. */
  function isOther(): boolean {
    const now = generationOf(database);
    const other = now !== generation;
    generation = now;
    return other;
  }

  /** @returns bytes of all changes since the base; undefined: others were faster */
  async function change(
    operation: () => unknown,
    erases: boolean,
  ): Promise<{ result: unknown; bytes: number } | undefined> {
    database.begin();
    recorded = [];
    try {
      const result = operation();
      const statements = recorded;
      let bytes: number | undefined = 0;
      if (statements.length > 0) {
        const from = placeOf(database);
        const to = { position: from.position + 1, mark: randomUUID() };
        const content: Content = { erases, schema: SCHEMA_STEPS, statements };
        bytes = await log.append(from, to, serialize(content), erases);
        if (bytes === undefined) return undefined;
        putPlace(database, to);
      }
      database.commit();
      return { result, bytes };
    } finally {
      recorded = undefined;
      database.rollback();
    }
  }

  return {
    sql,
    /**
     * Does an operation, after what others did. While Redis is away what is known here is told, and nothing is changed.
     * @param forget called where what operations keep in memory may be wrong
     */
    async run(
      operations: AnyOperations,
      name: string,
      args: unknown[],
      forget: () => void,
    ): Promise<unknown> {
      const erases = (ERASES as ReadonlySet<string>).has(name);
      const operation = () => operations[name](...args);
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const away = await catchUp().then(
          () => undefined,
          (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
        );
        if (away !== undefined) tellOnce(away);
        if (isOther()) forget();
        if (attempt === 0) {
          try {
            return operation();
          } catch (error) {
            if (!(error instanceof NotYet)) throw error;
          }
        }
        let done;
        try {
          done = await change(operation, erases);
        } catch (error) {
          forget();
          throw error;
        }
        if (done) {
          const result = withLogEmptied(operations, done.result);
          const made = done.bytes > 0 || erases ? rebasing.consider(done.bytes) : undefined;
          // Whoever erases hears of it when Redis holds nothing of it any more, where that takes no longer.
          if (erases) await Promise.race([made, sleep(PATIENCE, undefined, { ref: false })]);
          return result;
        }
        forget();
        if (away !== undefined) throw away;
      }
      throw Object.assign(new Error('Other machines change the sightings all the time.'), {
        code: 'SQLITE_BUSY',
      });
    },
    async close(): Promise<void> {
      await rebasing.close();
      log.close();
    },
  };
}

/** What an erasure could not do within its transaction. */
function withLogEmptied(operations: AnyOperations, result: unknown): unknown {
  const isUnclean = typeof result === 'object' && result !== null && 'isClean' in result && !result.isClean;
  return isUnclean ? { ...result, isClean: operations.clean() } : result;
}
