import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { AggregatorRegistry } from 'prom-client';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import {
  hasCode,
  makeFolder,
  namesIn,
  replaceFile,
  sweepUnfinished,
  UNFINISHED,
  unlessMissing,
} from '../platform/files/durable.js';
import { createKeyedMutex } from '../platform/keyed-mutex.js';
import { readSmall, UnfitFile } from '../platform/files/small-file.js';

/** How old another worker's figures are at most, milliseconds. */
const EVERY = 2_000;
/** What nobody has written for so long is of a machine (a container) that is gone, milliseconds. */
const LONG_GONE = 86_400_000;
/** Looks at a folder in which files come and go. */
const LOOKS = 20;
/** One worker's figures, bytes. */
const MOST_BYTES = 10_000_000;
/** Of so many workers that ended it is known that their counts were taken over. */
const REMEMBERED = 500;

/** A metric as `getMetricsAsJSON` gives it; a number that is none (NaN) is null in JSON. */
const MetricSchema = Type.Object({
  name: Type.String(),
  type: Type.Unknown(),
  values: Type.Array(Type.Object({ value: Type.Union([Type.Number(), Type.Null()]) })),
});
const MetricsSchema = Type.Array(MetricSchema);
const FiguresSchema = Type.Object({
  id: Type.String(),
  host: Type.String(),
  pid: Type.Integer(),
  /** When its process began, in the kernel's words: a process number comes back. */
  born: Type.String(),
  /** It ended in order; its process may do other things. */
  ended: Type.Boolean(),
  metrics: MetricsSchema,
  /** Counts of workers that ended before, by {@link inherited}. */
  counts: MetricsSchema,
  /** Ids of workers whose counts are in `counts`: a file of theirs that is still there is not counted again. */
  inherited: Type.Array(Type.String()),
});
type Metrics = Static<typeof MetricsSchema>;
type Figures = Static<typeof FiguresSchema>;

export interface SharedFiguresOptions {
  /** Of all workers of this machine; made where it is missing. */
  folder: string;
  /** This worker's own metrics, as `getMetricsAsJSON` gives them. */
  collect: () => Promise<object[]>;
  warn: (message: string) => void;
}

/** One worker's part in the figures of all; see {@link createSharedFigures}. */
export type SharedFigures = ReturnType<typeof createSharedFigures>;

/**
 * Adds up the figures of all workers of this machine: each writes its own into a file of a common folder, and whoever
 * is asked reads them all. Of a worker that has ended its counts (counters, histograms) still count, so that they do
 * not go backwards; the next worker that starts takes them over into its own file. Where no worker is left, counting
 * begins anew.
 */
export function createSharedFigures({ folder, collect, warn }: SharedFiguresOptions) {
  const own: Figures = {
    ...{ id: randomBytes(8).toString('hex'), host: hostname(), pid: process.pid, born: '' },
    ...{ ended: false, metrics: [], counts: [], inherited: [] },
  };
  const file = path.join(folder, `${own.id}.json`);
  let failing = false;
  const mutex = createKeyedMutex();
  void inTurn(start);
  const timer = setInterval(() => void inTurn(() => quietly(write)), EVERY);
  timer.unref();

  /** One after another: what is answered is never newer than the file, so that it is not lost with the process. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    return mutex.run(file, work);
  }

  async function start(): Promise<void> {
    own.born = (await quietly(() => bornAt(process.pid))) ?? '';
    const takenOver = (await quietly(inherit)) ?? [];
    await quietly(async () => {
      await write();
      // Only now: until then they count by themselves.
      for (const name of takenOver) await rm(path.join(folder, name), { force: true });
    });
  }

  /** @returns the files that are to go when this worker's own is written */
  async function inherit(): Promise<string[]> {
    await sweep(folder);
    const here = [...(await readAll(folder))].flatMap(([name, figures]) =>
      figures?.host === own.host ? [{ name, figures }] : [],
    );
    const living = await Promise.all(here.map(({ figures }) => isAlive(figures)));
    const dead = here.filter((_, i) => !living[i]);
    if (!living.includes(true)) return dead.map(({ name }) => name);
    const counted = inheritedIn(here.map(({ figures }) => figures));
    const takenOver: string[] = [];
    for (const { name, figures } of dead) {
      // Of two workers that start at once one can rename it.
      const mine = `${randomBytes(8).toString('hex')}.json`;
      const renaming = rename(path.join(folder, name), path.join(folder, mine));
      if (!(await unlessMissing(renaming.then(() => true)))) continue;
      takenOver.push(mine);
      if (counted.has(figures.id)) continue;
      const sum = AggregatorRegistry.aggregate([own.counts, ...countsOf(figures)]);
      own.counts = asMetrics(await sum.getMetricsAsJSON());
      own.inherited = [...own.inherited, ...figures.inherited, figures.id].slice(-REMEMBERED);
    }
    return takenOver;
  }

  async function write(): Promise<void> {
    own.metrics = asMetrics(await collect());
    await save();
  }

  async function save(): Promise<void> {
    await makeFolder(folder);
    await replaceFile(file, JSON.stringify(own));
  }

  /** A folder that cannot be read or written must not keep this worker from serving. */
  async function quietly<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      failing = false;
      return result;
    } catch (error) {
      if (!failing) warn(`The other workers do not know this one's figures: ${String(error)}`);
      failing = true;
      return undefined;
    }
  }

  async function parts(): Promise<Metrics[]> {
    own.metrics = asMetrics(await collect());
    await quietly(save);
    const others = [...(await readAll(folder)).values()].filter(
      (figures) => figures?.host === own.host && figures.id !== own.id,
    );
    const counted = inheritedIn([...others, own]);
    const found: Metrics[] = [own.metrics, own.counts];
    for (const figures of others) {
      if (!figures || counted.has(figures.id)) continue;
      found.push(...((await isAlive(figures)) ? [figures.metrics, figures.counts] : countsOf(figures)));
    }
    return found;
  }

  return {
    /** All of it as Prometheus reads it. */
    async text(): Promise<string> {
      return await AggregatorRegistry.aggregate(await inTurn(parts)).metrics();
    },

    /** Leaves the last figures behind. */
    async close(): Promise<void> {
      clearInterval(timer);
      own.ended = true;
      await inTurn(() => quietly(write));
    },
  };
}

/** What still counts of a worker that has ended. */
function countsOf({ metrics, counts }: Figures): Metrics[] {
  return [metrics.filter(({ type }) => type === 'counter' || type === 'histogram'), counts];
}

function inheritedIn(all: Iterable<Figures | undefined>): Set<string> {
  return new Set([...all].flatMap((figures) => figures?.inherited ?? []));
}

/** As a file would give them back, without numbers that are none: they would spoil a sum. */
function asMetrics(metrics: object[]): Metrics {
  const values = JSON.parse(JSON.stringify(metrics)) as Metrics;
  return values.map((metric) => ({ ...metric, values: metric.values.filter(({ value }) => value !== null) }));
}

/** The files of a folder by name; undefined: it cannot be read. */
async function readAll(folder: string): Promise<Map<string, Figures | undefined>> {
  for (let look = 1; ; look++) {
    const names = (await namesIn(folder)).filter((name) => name.endsWith('.json'));
    const texts = await Promise.all(names.map((name) => readOne(path.join(folder, name))));
    // Taken over meanwhile: its counts are in a file that may have been read before. A name that never leads anywhere
    // (a link to nothing) must not be looked for for ever.
    if (texts.includes(undefined) && look < LOOKS) continue;
    return new Map(names.map((name, i) => [name, parse(texts[i] ?? '')]));
  }
}

/** What is no file of figures is read as one that says nothing; undefined: it is not there. */
async function readOne(file: string): Promise<string | undefined> {
  try {
    return (await unlessMissing(readSmall(file, MOST_BYTES)))?.toString('utf8');
  } catch (error) {
    if (error instanceof UnfitFile) return '';
    throw error;
  }
}

function parse(text: string): Figures | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(FiguresSchema, value) ? value : undefined;
  } catch {
    return undefined;
  }
}

async function isAlive({ pid, born, ended }: Figures): Promise<boolean> {
  return !ended && (await bornAt(pid)) === born;
}

/** Removes what a crash left half written, and what is of machines (containers) that are gone. */
async function sweep(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    const file = path.join(folder, name);
    if (name.startsWith(UNFINISHED)) await sweepUnfinished(file);
    const found = await unlessMissing(stat(file));
    if (found && Date.now() - found.mtimeMs > LONG_GONE) await rm(file, { force: true, recursive: true });
  }
}

/** When a process of this machine began, in ticks since the machine did; undefined when there is none. */
async function bornAt(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, in brackets, may hold anything; after it come the state and, 19 fields on, the time.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
