import { chmod } from 'node:fs/promises';
import path from 'node:path';
import Libsql from 'libsql';
import { makeFolder } from '../../platform/files/durable.js';
import { giveToFolder } from '../../platform/files/owner.js';
import { SCHEMA, type SchemaPart } from './schema.js';

/** How long a writer waits for another worker's transaction, milliseconds. */
const BUSY = 5000;
/** The write-ahead log is cut back to this size after a checkpoint, bytes: a burst must not leave it large for ever. */
const WAL_BYTES = 16_777_216;

export type Value = string | number | null | Uint8Array;

/** The database, in its thread. Rows are plain objects; a BLOB is a Uint8Array over a buffer of its own. */
export interface Sql {
  all<Row>(statement: string, ...values: Value[]): Row[];
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as above
  get<Row>(statement: string, ...values: Value[]): Row | undefined;
  run(statement: string, ...values: Value[]): { changes: number; id: number };
  /** All or nothing; a transaction of the file, so other workers wait. Not nested. */
  write<R>(work: () => R): R;
  /** Whether a transaction is open: then the write-ahead log cannot be emptied. */
  readonly isWriting: boolean;
  close(): void;
}

/** Thrown by `write` where it must be a part of something larger: the operation is then done once more, in that. */
export class NotYet extends Error {}

/** The file itself, for what makes several writes one (shared/replica.ts). */
export interface Database extends Sql {
  begin(): void;
  commit(): void;
  /** Does nothing where SQLite has rolled back already. */
  rollback(): void;
  /** Writes all of it into a new file. Outside a transaction. */
  copyTo(file: string): void;
  /** Another file's tables are then `name.table`. Outside a transaction. */
  attach(file: string, name: string): void;
  detach(name: string): void;
}

/**
 * Opens the file, or makes it, and brings its tables up to date.
 * @throws SqliteError, with a code such as SQLITE_FULL, SQLITE_NOTADB
 */
export async function openDatabase(file: string, schema: readonly SchemaPart[] = SCHEMA): Promise<Database> {
  await makeFolder(path.dirname(file), 0o700);
  const db = new Libsql(file, { timeout: BUSY });
  try {
    // Names, times and faces: for nobody else to read. Its companions (-wal, -shm) get the same mode from SQLite.
    await chmod(file, 0o600);
    await giveToFolder(file);
    for (const pragma of [
      `busy_timeout = ${BUSY}`,
      'journal_mode = WAL',
      // What was acknowledged survives a power cut.
      'synchronous = FULL',
      // What is deleted is overwritten.
      'secure_delete = ON',
      'foreign_keys = ON',
      `journal_size_limit = ${WAL_BYTES}`,
    ])
      db.pragma(pragma);
    const sql = wrap(db);
    migrate(sql, (text) => db.exec(text), schema);
    return sql;
  } catch (error) {
    db.close();
    throw error;
  }
}

function wrap(db: Libsql.Database): Database {
  // Kept: preparing a statement leaks some 3 kB a time in libsql 0.5.
  const statements = new Map<string, Libsql.Statement>();
  const prepared = (text: string) => {
    let statement = statements.get(text);
    if (!statement) statements.set(text, (statement = db.prepare(text)));
    return statement;
  };
  // One array: a lone Buffer would be taken for named parameters.
  const bind = (values: Value[]) =>
    values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value));

  const begin = () => void prepared('BEGIN IMMEDIATE').run([]);
  const commit = () => void prepared('COMMIT').run([]);
  function rollback() {
    // A full disk has rolled back already.
    if (db.inTransaction) prepared('ROLLBACK').run([]);
  }

  return {
    ...{ begin, commit, rollback },
    all: (text, ...values) =>
      prepared(text)
        .all(bind(values))
        .map((row) => plain(row) as never),
    get(text, ...values) {
      const row = prepared(text).get(bind(values));
      return row === undefined || row === null ? undefined : (plain(row) as never);
    },
    run(text, ...values) {
      const { changes, lastInsertRowid } = prepared(text).run(bind(values));
      return { changes, id: Number(lastInsertRowid) };
    },
    write(work) {
      begin();
      try {
        const result = work();
        commit();
        return result;
      } catch (error) {
        rollback();
        throw error;
      }
    },
    get isWriting() {
      return db.inTransaction;
    },
    copyTo: (file) => void prepared('VACUUM INTO ?').run([file]),
    attach: (file, name) => void prepared(`ATTACH ? AS ${name}`).run([file]),
    detach: (name) => void prepared(`DETACH ${name}`).run([]),
    close: () => void db.close(),
  };
}

/** Without libsql's own member, and with bytes that can be read. */
function plain(row: unknown): unknown {
  const made: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(row as object)) {
    if (name !== '_metadata') made[name] = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
  }
  return made;
}

function migrate(sql: Sql, exec: (text: string) => void, schema: readonly SchemaPart[]): void {
  sql.write(() => {
    exec(
      'CREATE TABLE IF NOT EXISTS schema_part (name TEXT PRIMARY KEY, steps INTEGER NOT NULL) WITHOUT ROWID',
    );
    for (const { name, steps } of schema) {
      const row = sql.get<{ steps: number }>('SELECT steps FROM schema_part WHERE name = ?', name);
      const done = row?.steps ?? 0;
      if (done > steps.length)
        throw new Error(
          'The sightings were written by a newer version of Kaomon, which alone can read them.',
        );
      if (done === steps.length) continue;
      for (const step of steps.slice(done)) exec(step);
      sql.run(
        'INSERT INTO schema_part VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET steps = excluded.steps',
        name,
        steps.length,
      );
    }
  });
}
