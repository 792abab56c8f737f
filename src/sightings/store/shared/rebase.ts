/** Keeps the shared changes from growing for ever, and what was erased from staying in them. */
import { open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { UNFINISHED } from '../../../platform/files/durable.js';
import { openDatabase, type Database } from '../database.js';
import { type Base, LogAway, type Over, type SharedLog } from './log.js';
import { generationOf, isSame, type Place, placeOf } from './place.js';

/** Bytes of one chunk: Redis answers others in between. */
const CHUNK = 4_194_304;
/** A new base is made when the changes since the last are larger than this, bytes, and than the base. */
const LARGE = 67_108_864;
/** How long it is a machine's turn, anew with each chunk, and the shortest pause between two, milliseconds. */
const TURN = 60_000;
const PAUSE = 1000;
/** Making bases takes at most this part of the time. */
const SHARE = 20;

/** How the copies of a file begin that this process makes: left by one that was killed, they are swept (durable.ts). */
export const copyOf = (file: string): string =>
  path.join(path.dirname(file), `${UNFINISHED}${path.basename(file)}.${process.pid.toString(36)}`);

export type Rebasing = ReturnType<typeof createRebasing>;

/** @param file the database's, beside which the copies lie @param warn told of a base that could not be made */
export function createRebasing(
  database: Database,
  log: SharedLog,
  file: string,
  warn: (error: unknown) => void,
) {
  const copy = copyOf(file);
  const closing = new AbortController();
  let making: Promise<void> | undefined;
  let made: Promise<void> | undefined;
  let failed: Error | undefined;

  const drop = async (name: string) => {
    for (const end of ['', '-wal', '-shm', '-journal']) await rm(name + end, { force: true });
  };

  /** So that it is still this machine's turn when a slow link has taken all chunks. */
  async function* inTurn(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      await log.rest(TURN);
      yield chunk;
    }
  }

  /** Puts this machine's file there as the base, in its turn. @returns whether it is the newest one */
  async function publish(over?: Over): Promise<boolean> {
    const name = `${copy}.base`;
    await drop(name);
    try {
      database.copyTo(name);
      const other = await openDatabase(name);
      const place = placeOf(other);
      other.close();
      return await log.rebase(place, inTurn(chunksOf(name)), over);
    } finally {
      await drop(name);
    }
  }

  /** Puts this machine's file there between two changes. */
  async function publishBetween(): Promise<void> {
    while (database.isWriting) await setImmediate();
    await publish();
  }

  /** @returns false when it is the turn of nobody yet */
  async function makeInTurn(): Promise<boolean> {
    if (!(await log.turn(TURN))) return false;
    const begun = performance.now();
    try {
      await publishBetween();
    } finally {
      await restAfter(begun);
    }
    return true;
  }

  const restAfter = (begun: number) =>
    log.rest(Math.round(Math.max(PAUSE, (performance.now() - begun) * SHARE)));

  /** Gives Redis what it has lost, in turn: an upload that fails again and again would take its memory and the link. */
  async function restore(last: Place): Promise<void> {
    if (!(await log.turn(TURN)))
      throw failed ?? new LogAway(new Error('Redis gets what it has lost from somebody else.'));
    const begun = performance.now();
    try {
      await publish({ last });
      failed = undefined;
    } catch (error) {
      failed = error instanceof Error ? error : undefined;
      await restAfter(begun).catch(() => undefined);
      throw error;
    }
    // Somebody may know even more.
    await log.rest(0);
  }

  /** Tries again until what was erased is gone. @param tried called after the first attempt */
  async function makeWhereDue(size: number, tried: () => void): Promise<void> {
    const { size: whole } = await stat(file);
    if (size > Math.max(LARGE, whole)) await makeInTurn();
    while (!closing.signal.aborted && (await log.holdsErased()) && !(await makeInTurn())) {
      tried();
      await sleep(PAUSE, undefined, { ref: false, signal: closing.signal }).catch(() => undefined);
    }
  }

  return {
    publish,
    restore,

    /** Replaces the whole file by the base, or by nothing where there is none yet. @param from where the file is, and wrong */
    async takeOver(from: Place): Promise<void> {
      const base = await log.base();
      const name = `${copy}.taken`;
      await drop(name);
      try {
        if (base) await save(base, name);
        // Brings the tables of an older version up to date.
        (await openDatabase(name)).close();
        replaceBy(database, name, from);
      } finally {
        await drop(name);
      }
    },

    /**
     * Makes a new base where one is due, meanwhile.
     * @param size bytes of the changes since the last one
     * @returns resolves when it is made, or is not to be made now
     */
    consider(size: number): Promise<void> {
      making ??= new Promise((tried) => {
        made = makeWhereDue(size, tried)
          .catch(warn)
          .finally(() => {
            making = undefined;
            tried();
          });
      });
      return making;
    },

    /** Waits for the base that is being made, and makes no other. */
    async close(): Promise<void> {
      closing.abort();
      await made;
    },
  };
}

async function save(base: Base, file: string): Promise<void> {
  const out = await open(file, 'w', 0o600);
  let sum = 0;
  try {
    for await (const chunk of base.chunks) {
      await out.write(chunk);
      sum += chunk.length;
    }
  } finally {
    await out.close();
  }
  if (sum !== base.bytes) throw new Error('The base of the sightings was replaced while it was read.');
}

async function* chunksOf(file: string): AsyncGenerator<Buffer> {
  const source = await open(file, 'r');
  try {
    for (;;) {
      const { bytesRead, buffer } = await source.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await source.close();
  }
}

/** Within one transaction, because other workers have the file open. */
function replaceBy(database: Database, file: string, from: Place): void {
  database.attach(file, 'base');
  try {
    database.write(() => {
      // Another worker of this machine has been faster.
      if (!isSame(placeOf(database), from)) return;
      const generation = generationOf(database);
      const tables = database.all<{ name: string }>(
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
      );
      database.run('DELETE FROM main.sighting');
      for (const { name } of tables) database.run(`DELETE FROM main.${name}`);
      // Rows that others refer to come first.
      database.run('INSERT INTO main.sighting SELECT * FROM base.sighting');
      for (const { name } of tables)
        if (name !== 'sighting') database.run(`INSERT INTO main.${name} SELECT * FROM base.${name}`);
      // The numbers that were given already, which SQLite has counted anew.
      database.run('DELETE FROM main.sqlite_sequence');
      database.run('INSERT INTO main.sqlite_sequence SELECT * FROM base.sqlite_sequence');
      database.run('UPDATE replica SET generation = ?', generation + 1);
    });
  } finally {
    database.detach('base');
  }
}
