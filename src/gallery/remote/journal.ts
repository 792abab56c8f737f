import { setTimeout as sleep } from 'node:timers/promises';
import { quietMessage } from '../../platform/quiet-error.js';
import { MOST_WORDS, NOW, type RemoteRedis, type Word } from './commands.js';
import type { EngineRow, VectorEngine } from './engine.js';
import { bytesOf, toVector } from '../store/vector-bytes.js';
import type { RemoteLayout } from './layout.js';
import type { Tail } from './tail.js';
import { ownerOfId } from './template-ids.js';
import { splitFaceId } from '../ids.js';

/** After so many milliseconds anybody may finish what whoever began it has not. */
const LATE = 5000;
/** From one look at what is due to the next, milliseconds. */
const EVERY = 2000;
/** The engine is asked to write its files anew at most once in so many seconds, by whichever worker. */
const COMPACT_EVERY = 600;
/** How long a closing waits for what is being written, milliseconds: others finish it. */
const CLOSING = 3000;
/** So many vectors may wait for the engine before no more are taken. */
export const MOST_WAITING = 50_000;
/** While people are added by the many, so many vectors may be in every worker's tail: 100 MB of 512 numbers each. */
const MOST_UNSETTLED = 50_000;
/** From one look whether there are fewer to the next, milliseconds. */
const LOOK = 200;

export interface JournalDeps {
  redis: RemoteRedis;
  layout: RemoteLayout;
  engine: VectorEngine;
  tail: Tail;
  warn: (message: string) => void;
  /** After so many milliseconds anybody may finish what whoever began it has not; for tests. */
  late?: number | undefined;
  /** So many vectors may be unsettled while people are added by the many; for tests. */
  most?: number | undefined;
}

/** See {@link createJournal}. */
export type Journal = ReturnType<typeof createJournal>;

/**
 * Carries changes from Redis to the engine. What has to be written and removed there is noted in Redis in the very step that
 * changes the person, vectors with it, and struck out once the engine has done it; whoever finds a note that is late does it.
 * A vector stays in Redis, and in every worker's tail, until all searches of the engine find it.
 */
export function createJournal({ redis, layout, engine, tail, warn, ...limits }: JournalDeps) {
  const { late = LATE, most = MOST_UNSETTLED } = limits;
  const { pending, toWrite, written, toErase, erased } = layout;
  let rows: EngineRow[] = [];
  let ids: string[] = [];
  let carrying: Promise<void> | undefined;
  let sweeping: Promise<void> | undefined;
  let hasErased = false;

  async function noteDone(from: string, to: string, done: readonly string[]): Promise<void> {
    for (let at = 0; at < done.length; at += MOST_WORDS)
      await redis.noteDone(from, to, ...done.slice(at, at + MOST_WORDS));
  }

  async function write(some: readonly EngineRow[]): Promise<void> {
    await engine.write(some);
    await noteDone(
      toWrite,
      written,
      some.map(({ id }) => id),
    );
  }

  async function erase(some: readonly string[]): Promise<void> {
    await engine.remove(some);
    hasErased = true;
    await noteDone(toErase, erased, some);
  }

  /** What is refused is left to {@link sweep}, as all that is noted meanwhile. */
  async function carryAll(): Promise<void> {
    while (rows.length > 0 || ids.length > 0) {
      const [someRows, someIds] = [rows, ids];
      rows = [];
      ids = [];
      const done = await Promise.allSettled([
        someIds.length > 0 ? erase(someIds) : undefined,
        someRows.length > 0 ? write(someRows) : undefined,
      ]);
      if (done.every(({ status }) => status === 'fulfilled')) continue;
      rows = [];
      ids = [];
    }
  }

  function startCarrying(): void {
    carrying ??= carryAll().finally(() => {
      carrying = undefined;
      // Noted after the last look.
      if (rows.length > 0 || ids.length > 0) startCarrying();
    });
  }

  async function readPending(some: readonly string[]): Promise<Map<string, Float32Array>> {
    const found = new Map<string, Float32Array>();
    for (let at = 0; at < some.length; at += MOST_WORDS) {
      const part = some.slice(at, at + MOST_WORDS);
      for (const [i, bytes] of (await redis.hmgetBuffer(pending, ...part)).entries())
        if (bytes) found.set(part[i], toVector(bytes));
    }
    return found;
  }

  const rowOf = (id: string, vector: Float32Array): EngineRow => {
    const person = ownerOfId(id);
    return { id, person, group: splitFaceId(person)?.groupid ?? '', vector };
  };

  /** What has been due for so long, a call's worth at a time, as long as there is that much. */
  async function forDue(key: string, age: number, work: (ids: string[]) => Promise<unknown>): Promise<void> {
    for (let isMore = true; isMore;) {
      const due = await redis.claimDue(key, age, MOST_WORDS);
      if (due.length > 0) await work(due);
      isMore = due.length === MOST_WORDS;
    }
  }

  async function sweepOnce(): Promise<void> {
    await forDue(toWrite, late, async (due) => {
      const vectors = await readPending(due);
      await write([...vectors].map(([id, vector]) => rowOf(id, vector)));
    });
    await forDue(toErase, late, erase);
    await forDue(written, engine.settles, async (due) => {
      // A removal that was under way may have taken what was written anew.
      const held = await engine.held(due);
      const lost = due.filter((id) => !held.has(id));
      await noteDone(written, toWrite, lost);
      if (held.size > 0) await redis.forgetSettled(written, pending, ...held);
    });
    await forDue(erased, engine.settles, async (due) => {
      // Again: a write that was under way may have come after the first time.
      await engine.remove(due);
      await redis.zrem(erased, ...due);
      hasErased = true;
    });
    if (hasErased && (await redis.set(layout.compacted, '1', 'EX', COMPACT_EVERY, 'NX'))) {
      hasErased = false;
      await engine.compact();
    }
    await thin();
  }

  /** The tail loses what every search of the engine finds by now. */
  async function thin(): Promise<void> {
    const held = tail.ids();
    for (let at = 0; at < held.length; at += MOST_WORDS) {
      const part = held.slice(at, at + MOST_WORDS);
      const pipeline = redis.pipeline();
      for (const id of part) pipeline.hexists(pending, id);
      const replies = (await pipeline.exec()) ?? [];
      for (const [i, [error, isThere]] of replies.entries()) if (!error && isThere === 0) tail.drop(part[i]);
    }
  }

  const unsettled = (): Promise<number> => redis.hlen(pending);
  const sweep = (): Promise<void> => (sweeping ??= sweepOnce().finally(() => (sweeping = undefined)));

  let lastTold = '';
  const timer = setInterval(() => {
    sweep().then(
      () => (lastTold = ''),
      (error: unknown) => {
        const message = quietMessage(error);
        if (message !== lastTold) warn(`What waits for Milvus is tried again later: ${message}`);
        lastTold = message;
      },
    );
  }, EVERY);
  timer.unref();

  return {
    readPending,
    rowOf,
    sweep,

    /** The commands that note vectors to be written, as a part of a step. */
    adding: (some: readonly EngineRow[]): Word[][] =>
      inSlices(some).flatMap((rows) => {
        const ids = rows.map(({ id }) => id);
        return [
          ['HSET', pending, ...rows.flatMap(({ id, vector }) => [id, bytesOf(vector)])],
          ['ZADD', toWrite, ...ids.flatMap((id) => [NOW, id])],
          ...[toErase, erased, written].map((key) => ['ZREM', key, ...ids]),
        ];
      }),

    /** The commands that note vectors to be removed. */
    erasing: (some: readonly string[]): Word[][] =>
      inSlices(some).flatMap((ids) => [
        ['HDEL', pending, ...ids],
        ...[toWrite, written, erased].map((key) => ['ZREM', key, ...ids]),
        ['ZADD', toErase, ...ids.flatMap((id) => [NOW, id])],
      ]),

    /** Once the step is made: from now on the vectors are found here, and on their way to the engine. */
    carry(added: readonly EngineRow[], gone: readonly string[]): void {
      for (const id of gone) tail.drop(id);
      for (const { id, vector } of added) tail.add(id, vector);
      // Not `push`, which takes no more than some hundred thousand.
      rows = rows.concat(added);
      ids = ids.concat(gone);
      startCarrying();
    },

    /** Resolves when what this process noted is in the engine, or left to {@link sweep}. */
    async carried(): Promise<void> {
      while (carrying) await carrying;
    },

    /** How many vectors wait for the engine, of all workers. */
    waiting: (): Promise<number> => redis.zcard(toWrite),

    /** How many vectors every worker still has in its tail, until all searches of the engine find them. */
    unsettled,

    /**
     * Waits until few enough vectors are unsettled for more to be added by the many.
     * @throws KaomonError STORE_UNAVAILABLE while the engine is away
     */
    async room(): Promise<void> {
      while ((await unsettled()) > most) {
        await sweep();
        await sleep(LOOK);
      }
    },

    /** Takes into the tail what the engine may not show yet, of all workers. */
    async load(): Promise<void> {
      for await (const some of redisScan(redis, pending)) {
        for (const [id, vector] of await readPending(some)) tail.add(id, vector);
      }
    },

    async close(): Promise<void> {
      clearInterval(timer);
      await Promise.race([carrying, sleep(CLOSING, undefined, { ref: false })]);
      await sweeping?.catch(() => undefined);
    },
  };
}

/** As many at a time as a command of a step takes: Lua unpacks some thousand words at most. */
function inSlices<T>(all: readonly T[]): T[][] {
  const slices: T[][] = [];
  for (let at = 0; at < all.length; at += MOST_WORDS) slices.push(all.slice(at, at + MOST_WORDS));
  return slices;
}

/** The fields of a hash, some at a time. */
async function* redisScan(redis: RemoteRedis, key: string): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const [next, pairs] = await redis.hscanBuffer(key, cursor, 'COUNT', 200);
    cursor = next.toString();
    yield pairs.filter((_, i) => i % 2 === 0).map(String);
  } while (cursor !== '0');
}
