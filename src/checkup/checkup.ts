/**
 * The check-up of a gallery: one worker of a machine looks at everybody in the background, all of them show how far it is
 * and what it found. What is kept on the disk for that are IDs and distances, in the cache folder; whoever is deleted goes
 * from it, too.
 */
import path from 'node:path';
import { rm, stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Gallery, GalleryChange } from '../gallery/types.js';
import type { CountedWork } from '../identity/counted-work.js';
import type { Decision } from '../identity/decision.js';
import { KaomonError } from '../platform/errors.js';
import { makeFolder, replaceFile, unlessMissing } from '../platform/files/durable.js';
import { underLock } from '../platform/files/lock.js';
import { readSmall } from '../platform/files/small-file.js';
import { quietError } from '../platform/quiet-error.js';
import { passOver } from './pass.js';
import type { Findings } from './types.js';

/** How often the worker that looks tells the others how far it is, and hears whether to stop, milliseconds. */
const TELL_EVERY = 1000;
/** Whoever has not told anything for so long has died, milliseconds. */
const DEAD_AFTER = 15_000;
/** The largest file of findings, bytes: three lists of a thousand. */
const MOST_BYTES = 10_000_000;
/** How long the findings may be another worker's, milliseconds. */
const PATIENCE = 10_000;
/** Rests as long as it worked: half a processor's core at most. */
const REST = 1;

/** How far a check-up is. */
export interface CheckupState {
  /** `none`: there was none yet, or its findings are gone. */
  state: 'none' | 'running' | 'done' | 'cancelled' | 'failed';
  /** 0 to 1. */
  progress: number;
  /** ISO 8601. */
  startedAt?: string;
  finishedAt?: string;
}

export interface CheckupDeps {
  /** `CACHE_DIR`. */
  cacheDir: string;
  pack: { id: string; length: number };
  gallery: Pick<
    Gallery,
    'everyone' | 'person' | 'vectors' | 'copyVectors' | 'nearest' | 'info' | 'subscribe'
  >;
  searches: Pick<CountedWork, 'one'>;
  decision: Pick<Decision, 'threshold' | 'apart'>;
  log: { error: (details: object, message: string) => void };
  /** Rests so many times as long as it worked; for tests. */
  rest?: number;
}

/** See {@link createCheckup}. */
export type Checkup = ReturnType<typeof createCheckup>;

export function createCheckup(deps: CheckupDeps) {
  const { gallery, searches, decision, pack, log, rest = REST } = deps;
  const folder = path.join(deps.cacheDir, 'check-up');
  const fileOf = (name: string) => path.join(folder, `${pack.id}.${name}`);
  const stateFile = fileOf('state.json');
  const findingsFile = fileOf('findings.json');
  const stopFile = fileOf('stop');
  let running: { stop: AbortController; hasBegun: Promise<void>; ended: Promise<void> } | undefined;
  /** The findings as they were last read, and of which file: two that are written within a clock's tick have one date. */
  let read: { findings: Findings; stamp: string } | undefined;
  let writing: Promise<unknown> = Promise.resolve();
  /** Who was not enrolled under an ID any more since this worker's check-up began: it may have seen them before. */
  let goneMeanwhile = new Set<string>();

  /** One after the other. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = writing.catch(() => undefined).then(work);
    writing = done;
    return done;
  }

  const replace = (file: string, content: object) =>
    replaceFile(file, JSON.stringify(content), { mode: 0o600 });
  const write = (file: string, content: object) => inTurn(() => replace(file, content));
  /** Other workers change the findings, too. */
  const changeFindings = (work: () => Promise<void>) =>
    inTurn(() => underLock(fileOf('findings.lock'), work, { patience: PATIENCE }));

  async function readJson<T>(file: string): Promise<T | undefined> {
    try {
      const text = await unlessMissing(readSmall(file, MOST_BYTES));
      return text && (JSON.parse(text.toString('utf8')) as T);
    } catch (error) {
      // A cache: what cannot be read is made anew.
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  async function state(): Promise<CheckupState> {
    const found = await readJson<CheckupState>(stateFile);
    if (!found) return { state: 'none', progress: 0 };
    if (found.state !== 'running' || running) return found;
    const told = await unlessMissing(stat(stateFile));
    const isDead = !told || Date.now() - told.mtimeMs > DEAD_AFTER;
    return isDead ? { ...found, state: 'failed' } : found;
  }

  async function findings(): Promise<Findings | undefined> {
    await writing.catch(() => undefined);
    return await readFindings();
  }

  async function readFindings(): Promise<Findings | undefined> {
    const there = await unlessMissing(stat(findingsFile));
    if (!there) return (read = undefined);
    const stamp = `${there.mtimeMs} ${there.ino} ${there.size}`;
    if (read?.stamp === stamp) return read.findings;
    const found = await readJson<Findings>(findingsFile);
    read = found && { findings: found, stamp };
    return found;
  }

  async function look(stop: AbortController, startedAt: string, begun: () => void): Promise<void> {
    const all = Math.max(1, gallery.info().people);
    let done = 0;
    let told = -Infinity;
    const tell = async () => {
      told = performance.now();
      const progress = Math.min(0.999, done / all);
      await write(stateFile, { state: 'running', progress, startedAt });
      if (await unlessMissing(stat(stopFile))) stop.abort();
    };
    goneMeanwhile = new Set();
    await tell();
    begun();
    const outcome = await passOver({
      gallery,
      inTurn: (work) => searches.one(work, { signal: stop.signal, isAdmitted: true }),
      threshold: decision.threshold(),
      apart: decision.apart(),
      length: pack.length,
      signal: stop.signal,
      onPerson: (count) => (done = count),
      async rest(worked) {
        if (performance.now() - told > TELL_EVERY) await tell();
        if (worked * rest >= 1)
          await wait(worked * rest, undefined, { signal: stop.signal }).catch(() => undefined);
      },
    });
    await changeFindings(() => replace(findingsFile, without(outcome, goneMeanwhile)));
    await write(stateFile, { state: 'done', progress: 1, startedAt, finishedAt: new Date().toISOString() });
  }

  /** @param begun called once its state can be seen, or with why it cannot */
  async function run(stop: AbortController, begun: (failure?: unknown) => void): Promise<void> {
    const startedAt = new Date().toISOString();
    let isMine = false;
    try {
      await underLock(
        fileOf('lock'),
        async () => {
          isMine = true;
          await rm(stopFile, { force: true });
          await look(stop, startedAt, begun);
        },
        { patience: 0 },
      );
    } catch (error) {
      // Set in the work above.
      if (!(isMine as boolean) && isLocked(error)) return;
      const state = stop.signal.aborted ? 'cancelled' : 'failed';
      if (state === 'failed') log.error({ err: quietError(error) }, 'The check-up of the gallery failed');
      const finishedAt = new Date().toISOString();
      await write(stateFile, { state, progress: 0, startedAt, finishedAt }).catch(begun);
    } finally {
      begun();
    }
  }

  /**
   * Begins a check-up, unless one of this machine's workers is at it. Resolves when its state can be seen.
   * @throws system errors where it cannot be written
   */
  async function start(): Promise<void> {
    if (!running) {
      const stop = new AbortController();
      let begun: (failure?: unknown) => void = () => undefined;
      const hasBegun = new Promise<void>((resolve, reject) => {
        begun = (failure) => (failure instanceof Error ? reject(failure) : resolve());
      });
      // At once: whoever asks in the same moment must find this one.
      const ready = makeFolder(folder, 0o700);
      const ended = ready.then(() => run(stop, begun)).finally(() => (running = undefined));
      running = { stop, hasBegun: ready.then(() => hasBegun), ended: ended.catch(() => undefined) };
    }
    await running.hasBegun;
    await writing.catch(() => undefined);
  }

  /** Whoever is no longer enrolled under an ID is not named in the cache any more. */
  async function forget(ids: ReadonlySet<string>): Promise<void> {
    if (running) for (const gone of ids) goneMeanwhile.add(gone);
    const before = await findings();
    // Most people are in none.
    if (!before || without(before, ids) === before) return;
    await changeFindings(async () => {
      const found = await readFindings();
      if (found) await replace(findingsFile, without(found, ids));
    });
  }

  const GONE: ReadonlySet<GalleryChange['kind']> = new Set(['removed', 'moved', 'merged']);
  const unsubscribe = gallery.subscribe(({ kind, faceid, from }) => {
    const gone = kind === 'removed' ? faceid : from;
    if (GONE.has(kind) && gone !== undefined) void forget(new Set([gone])).catch(() => undefined);
  });

  /** Nor is whoever was deleted, moved or merged while no worker ran. */
  async function forgetLeft(): Promise<void> {
    const gone = new Set<string>();
    for (const faceid of namedIn(await findings())) if (!(await gallery.person(faceid))) gone.add(faceid);
    if (gone.size > 0) await forget(gone);
  }
  const hasLooked = forgetLeft().catch(() => undefined);

  return {
    state,
    findings,
    start,

    /** Stops the one that is running, in whatever worker. */
    async cancel(): Promise<void> {
      if (running) {
        running.stop.abort();
        await running.ended;
      } else if ((await state()).state === 'running') await write(stopFile, {});
    },

    async close(): Promise<void> {
      unsubscribe();
      running?.stop.abort();
      await running?.ended;
      await hasLooked;
      await writing.catch(() => undefined);
    },
  };
}

/** Whom findings name. */
function namedIn(findings: Findings | undefined): Set<string> {
  if (!findings) return new Set();
  const { disagreeing, pairs, weak } = findings;
  const odd = [...disagreeing.flatMap(({ pictures }) => pictures), ...weak];
  return new Set([
    ...pairs.flatMap(({ faceids }) => faceids),
    ...[...disagreeing, ...weak].map(({ faceid }) => faceid),
    ...odd.flatMap(({ other }) => other?.faceid ?? []),
  ]);
}

/** Findings in which nobody of these is named; the same ones where that is so already. */
function without(findings: Findings, gone: ReadonlySet<string>): Findings {
  const isGone = (faceid: string | undefined) => faceid !== undefined && gone.has(faceid);
  const left = {
    disagreeing: findings.disagreeing.filter(
      ({ faceid, pictures }) => !isGone(faceid) && !pictures.some(({ other }) => isGone(other?.faceid)),
    ),
    pairs: findings.pairs.filter(({ faceids }) => !faceids.some(isGone)),
    weak: findings.weak.filter(({ faceid, other }) => !isGone(faceid) && !isGone(other?.faceid)),
  };
  const lists = ['disagreeing', 'pairs', 'weak'] as const;
  if (lists.every((list) => left[list].length === findings[list].length)) return findings;
  const totals = { ...findings.totals };
  for (const list of lists) totals[list] -= findings[list].length - left[list].length;
  return { ...findings, ...left, totals };
}

const isLocked = (error: unknown) => error instanceof KaomonError && error.code === 'STORE_UNAVAILABLE';
