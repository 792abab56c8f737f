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
/** A file that was not written for so long is of a machine (a container) that is gone, milliseconds. */
const LONG_GONE = 86_400_000;
/** Times that a folder is read in which files come and go. */
const LOOKS = 20;
/** One worker's figures, bytes. */
const MOST_BYTES = 10_000_000;
/** So many ended workers whose counts were taken over are remembered. */
const REMEMBERED = 500;

/** A metric as `getMetricsAsJSON` gives it; NaN is null in JSON. */
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
  /** When its process began, as the kernel says, because process IDs are reused. */
  born: Type.String(),
  /** It ended in order, though its process may live on. */
  ended: Type.Boolean(),
  metrics: MetricsSchema,
  /** Counts of workers that ended before, by {@link inherited}. */
  counts: MetricsSchema,
  /** IDs of workers whose counts are in `counts`: if their files are still there, they are not counted again. */
  inherited: Type.Array(Type.String()),
});
type Metrics = Static<typeof MetricsSchema>;
type Figures = Static<typeof FiguresSchema>;

export interface SharedFiguresOptions {
  /** Shared by all workers of this machine; made if it is missing. */
  folder: string;
  /** This worker's own metrics, as `getMetricsAsJSON` gives them. */
  collect: () => Promise<object[]>;
  warn: (message: string) => void;
}

/**
 * Adds up the figures of all workers of this machine: each writes its own to a file in a common folder, and the one
 * that is asked reads them all. Counters and histograms of a worker that has ended still count, so that they never
 * decrease; the next worker that starts takes them over into its own file. When no worker is left, counting starts from
 * zero.
 */
export function createSharedFigures({ folder, collect, warn }: SharedFiguresOptions) {
  const own: Figures = {
    id: randomBytes(8).toString('hex'),
    host: hostname(),
    pid: process.pid,
    born: '',
    ended: false,
    metrics: [],
    counts: [],
    inherited: [],
  };
  const file = path.join(folder, `${own.id}.json`);
  let failing = false;
  const mutex = createKeyedMutex();
  void inTurn(start);
  const timer = setInterval(() => void inTurn(() => quietly(write)), EVERY);
  timer.unref();

  /** One after another, so that an answer is never newer than the file and is not lost with the process. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    return mutex.run(file, work);
  }

  async function start(): Promise<void> {
    own.born = (await quietly(() => bornAt(process.pid))) ?? '';
    const takenOver = (await quietly(inherit)) ?? [];
    await quietly(async () => {
      await write();
      // Only now: until then their own files count.
      for (const name of takenOver) await rm(path.join(folder, name), { force: true });
    });
  }

  /** @returns the files to remove when this worker's own is written */
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
      // Of two workers that start at once, only one can rename it.
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
    /** Everything in Prometheus's format. */
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

/** The figures that still count of a worker that has ended. */
function countsOf({ metrics, counts }: Figures): Metrics[] {
  return [metrics.filter(({ type }) => type === 'counter' || type === 'histogram'), counts];
}

function inheritedIn(all: Iterable<Figures | undefined>): Set<string> {
  return new Set([...all].flatMap((figures) => figures?.inherited ?? []));
}

/** As read back from a file, without NaN, which would spoil a sum. */
function asMetrics(metrics: object[]): Metrics {
  const values = JSON.parse(JSON.stringify(metrics)) as Metrics;
  return values.map((metric) => ({ ...metric, values: metric.values.filter(({ value }) => value !== null) }));
}

/** The files of a folder by name; undefined: it cannot be read. */
async function readAll(folder: string): Promise<Map<string, Figures | undefined>> {
  for (let look = 1; ; look++) {
    const names = (await namesIn(folder)).filter((name) => name.endsWith('.json'));
    const texts = await Promise.all(names.map((name) => readOne(path.join(folder, name))));
    // A file was taken over meanwhile: its counts are in another, which may have been read before that. Not forever,
    // because a name may be a dangling link.
    if (texts.includes(undefined) && look < LOOKS) continue;
    return new Map(names.map((name, i) => [name, parse(texts[i] ?? '')]));
  }
}

/** A file's text; '' when it cannot be a file of figures, undefined when it does not exist. */
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

/** Removes what a crash left half-written, and files of machines (containers) that are gone. */
async function sweep(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    const file = path.join(folder, name);
    if (name.startsWith(UNFINISHED)) await sweepUnfinished(file);
    const found = await unlessMissing(stat(file));
    if (found && Date.now() - found.mtimeMs > LONG_GONE) await rm(file, { force: true, recursive: true });
  }
}

/** When a process of this machine began, in ticks since boot; undefined when there is none. */
async function bornAt(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, in brackets, may contain anything; after it come the state and, 19 fields later, the time.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
