import type { FastifyBaseLogger } from 'fastify';
import type { ObservedFace, Observer, Place } from '../identity/types.js';
import { KaomonError } from '../platform/errors.js';
import { quietMessage } from '../platform/quiet-error.js';
import type { SightingStore } from './store/client.js';
import { drawn } from './best-face.js';
import type { VisitPart } from './types.js';
import type { Moment, SeenPart } from './visit.js';
import { createVisits, type VisitSettings } from './visits.js';

/** How often what is due is written, milliseconds. */
const EVERY = 1000;
/** How often visits of workers that have died are looked for, milliseconds. */
const LOOK_EVERY = 15_000;
/** The most parts in one transaction. */
const AT_ONCE = 200;
/** The most parts that wait for the store, each visit's newest only; more are dropped, the oldest first. */
const MOST_WAITING = 3000;
/** So long after something was dropped the status says so, milliseconds. */
const DROPPING_FOR = 300_000;
/** After a failure the store is tried again after so long, milliseconds, and then after twice as long, up to the most. */
const AGAIN = { first: 1000, most: 30_000 } as const;

export interface ObserverOptions extends VisitSettings {
  store: Pick<SightingStore, 'ask'>;
  keepsPictures: boolean;
  log: Pick<FastifyBaseLogger, 'warn' | 'info'>;
  /** Called with the position of the last happening when something may have happened. */
  onHappened?: (seq: number) => void;
  /** For tests. */
  now?: () => number;
  date?: () => number;
}

/** For status and metrics. */
export interface ObserverInfo {
  /** Visits that this worker has seen since its start. */
  seen: number;
  /** Visits that go on, of this worker. */
  open: number;
  /** Parts of visits that wait for the store. */
  waiting: number;
  written: number;
  /** Faces and parts of visits that were not kept, because there were too many or the store could not be written. */
  dropped: number;
  /** Some were in the last minutes. */
  isDropping: boolean;
  /** Why the store cannot be written at the moment. */
  trouble?: string;
}

export type SightingObserver = ReturnType<typeof createObserver>;

/**
 * Keeps who came by. Faces are folded into visits at once, which costs microseconds; the store is written behind the
 * answers, a second's changes in one transaction. What the store does not take waits, a bounded amount of it.
 */
export function createObserver(options: ObserverOptions) {
  const { store, keepsPictures, log, onHappened } = options;
  const { now = () => performance.now(), date = () => Date.now() } = options;
  const visits = createVisits(options);
  /** What waits for the store, by visit, oldest first. */
  const waiting = new Map<string, VisitPart>();
  let written = 0;
  let dropped = 0;
  let droppedAt = -Infinity;
  /** How many had been when last looked, faces and parts. */
  let droppedBefore = 0;
  let trouble: string | undefined;
  let failures = 0;
  /** Parts in the next transaction. */
  let atOnce = AT_ONCE;
  let retryAt = -Infinity;
  let lookedAt = -Infinity;
  let flushing: Promise<void> | undefined;

  const present = (): Moment => ({ now: now(), date: date() });

  function queue(parts: readonly VisitPart[]): void {
    for (const part of parts) {
      const before = waiting.get(part.uid);
      // The best face is sent once: it must not be lost with the older part.
      waiting.set(part.uid, {
        ...part,
        ...((part.best ?? before?.best) && { best: part.best ?? before?.best }),
      });
    }
    while (waiting.size > MOST_WAITING) {
      const [oldest] = waiting.keys();
      waiting.delete(oldest);
      dropped += 1;
    }
  }

  /** One after the other: they must not take all of the threads that searches and other pictures are worked on in. */
  async function draw(parts: readonly SeenPart[]): Promise<VisitPart[]> {
    const all: VisitPart[] = [];
    for (const { best, ...part } of parts) all.push(best ? { ...part, best: await drawn(best) } : part);
    return all;
  }

  function failed(error: unknown): void {
    failures += 1;
    retryAt = now() + Math.min(AGAIN.most, AGAIN.first * 2 ** (failures - 1));
    if (trouble === undefined)
      log.warn(
        { reason: causeOf(error) },
        'Sightings cannot be written; recognition goes on, and what fits into memory is written later',
      );
    trouble = causeOf(error);
  }

  function worked(): void {
    if (trouble !== undefined) log.info({ dropped }, 'Sightings are written again');
    trouble = undefined;
    failures = 0;
  }

  const isDropping = () => now() - droppedAt < DROPPING_FOR;

  /** Says so when something begins to be dropped. */
  function noteDropped(): void {
    const all = dropped + visits.info().dropped;
    if (all === droppedBefore) return;
    if (!isDropping())
      log.warn(
        { dropped: all - droppedBefore },
        'Sightings are dropped: there are more at once than memory is kept for, or they cannot be written',
      );
    droppedAt = now();
    droppedBefore = all;
  }

  async function writeSome(): Promise<boolean> {
    const parts = [...waiting.values()].slice(0, atOnce);
    for (const { uid } of parts) waiting.delete(uid);
    try {
      let seq = await store.ask('writeParts', parts, date());
      if (parts.some(({ isEnded }) => isEnded)) seq = await store.ask('closeVisits', date());
      written += parts.length;
      atOnce = Math.min(AT_ONCE, 2 * atOnce);
      worked();
      onHappened?.(seq);
      return true;
    } catch (error) {
      const isWrong = error instanceof KaomonError && error.code === 'INTERNAL';
      if (isWrong && parts.length === 1) {
        dropped += 1;
        log.warn({ reason: causeOf(error) }, 'A sighting was left out: it cannot be written');
        return true;
      }
      // What has changed since is newer.
      const newer = [...waiting.values()];
      waiting.clear();
      queue(parts);
      queue(newer);
      if (isWrong) {
        // One of them is: each by itself, so that the others are not kept waiting for ever.
        atOnce = 1;
        return true;
      }
      failed(error);
      return false;
    }
  }

  async function look(): Promise<void> {
    lookedAt = now();
    try {
      const seq = await store.ask('closeVisits', date());
      worked();
      onHappened?.(seq);
    } catch (error) {
      failed(error);
    }
  }

  async function flush(): Promise<void> {
    queue(await draw(visits.due(present())));
    noteDropped();
    if (now() < retryAt) return;
    while (waiting.size > 0) if (!(await writeSome())) return;
    if (now() - lookedAt >= LOOK_EVERY) await look();
  }

  /** One at a time. */
  function tick(): Promise<void> {
    flushing ??= flush().finally(() => (flushing = undefined));
    return flushing;
  }

  function forgetWaiting(faceid: string): void {
    visits.forget(faceid);
    for (const [uid, part] of waiting) {
      const votes = part.votes.filter((vote) => vote.faceid !== faceid);
      if (votes.length === part.votes.length) continue;
      if (votes.length === 0) waiting.delete(uid);
      else waiting.set(uid, { ...part, votes });
    }
  }

  function renameWaiting(from: string, to: string): void {
    visits.rename(from, to);
    for (const part of waiting.values())
      for (const vote of part.votes) if (vote.faceid === from) vote.faceid = to;
  }

  const timer = setInterval(() => void tick(), EVERY);
  timer.unref();

  const observer: Observer = {
    wantsPictures: keepsPictures,
    observe({ deviceid, source }: Place, faces: readonly ObservedFace[]): void {
      if (faces.length > 0) visits.add({ deviceid, source }, faces, present());
    },
  };

  return {
    ...observer,

    /** Writes what is due now, also what came while something was being written. Never throws. */
    async flush(): Promise<void> {
      await flushing;
      await tick();
    },

    /** A person has been deleted: what waits for the store is forgotten too. Resolves when nothing of it is on its way. */
    async forget(faceid: string): Promise<void> {
      forgetWaiting(faceid);
      // What was being written comes back when it could not be.
      await flushing;
      forgetWaiting(faceid);
    },

    /** A person has another faceid from now on. Resolves when nothing with the old one is on its way to the store. */
    async rename(from: string, to: string): Promise<void> {
      renameWaiting(from, to);
      await flushing;
      renameWaiting(from, to);
    },

    info(): ObserverInfo {
      const { seen, open, dropped: faces } = visits.info();
      return {
        ...{ seen, open, waiting: waiting.size, written, dropped: dropped + faces, isDropping: isDropping() },
        ...(trouble !== undefined && { trouble }),
      };
    },

    /** Ends this worker's visits and writes what waits, once: a store that fails now is not waited for. */
    async close(): Promise<void> {
      clearInterval(timer);
      await flushing;
      queue(await draw(visits.end(present())));
      while (waiting.size > 0) if (!(await writeSome())) break;
      if (waiting.size > 0)
        log.warn({ dropped: waiting.size }, 'Sightings were lost: they could not be written');
    },
  };
}

/** SQLite's reason, which names no values. */
function causeOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause === undefined ? quietMessage(error) : quietMessage(cause);
}
