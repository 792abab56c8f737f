import type { ThresholdMeaning } from './odds.js';

export const STAGES = ['queue', 'decode', 'detect', 'embed', 'search'] as const;
export type Stage = (typeof STAGES)[number];

/** Milliseconds; null without a sample in the last five minutes. */
export interface StageFigures {
  count: number;
  p50: number | null;
  p95: number | null;
}

/** What `GET /api/v1/status` answers, as far as the page shows it. */
export interface Status {
  version: string;
  uptime: number;
  /** Tells one worker from another: any of them may answer. */
  pid?: number;
  workers?: number;
  pack: string;
  /** The pack's name, which every page shows. */
  title?: string;
  thresholds?: ThresholdMeaning;
  offer?: { title: string; command: string };
  provider: string;
  refusedProviders?: readonly { provider: string; reason: string }[];
  vision: { threads: number; queued: number; running: number; kernels?: string; note?: string };
  gallery: {
    people: number;
    faces: number;
    groups: number;
    index: string;
    obstacle?: string;
    snapshot?: { number: number; recall: number; newer: number };
  };
  requests?: { total: number; errors: number; perSecond: number };
  streams?: { open: number; frames: number; errors: number; perSecond: number };
  stages?: Partial<Record<Stage, StageFigures>>;
  memory?: { rss: number };
  events?: { behind: number };
  sightings?: { kept?: { sightings: number; oldest: string | null; bytes: number } };
  trouble?: readonly { what: string; message: string }[];
  damaged?: readonly { what: string; reason: string }[];
}

/** Pictures that wait longer than this, in one of twenty cases, are too many, milliseconds. */
const LONG_WAIT = 1000;
/** A picture that takes longer than this is slow, milliseconds. */
const SLOW = 1000;
/** A snapshot whose search misses more than one in fifty is worth a look; training aims at 0.98 and more. */
const LOW_RECALL = 0.98;
/** Changes of other workers that may wait to be applied. */
const FAR_BEHIND = 100;

/** What is wrong and what to do about it; `bad`: something does not work, `warn`: it works badly. */
export interface Finding {
  level: 'bad' | 'warn';
  /** In the page's language. */
  text: string;
}

/** The texts that {@link findingsOf} chooses from. */
export interface VerdictWords {
  noThreads: string;
  obstacles: Record<string, string>;
  troubleOf: (what: string, message: string) => string;
  cpuInstead: (provider: string, reason: string) => string;
  longWait: (ms: number) => string;
  slow: (ms: number, stage: Stage) => string;
  lowRecall: (recall: number) => string;
  farBehind: (changes: number) => string;
  damagedFound: (count: number) => string;
  failing: (count: number) => string;
}

/** How long a picture takes from decoding to its names, milliseconds; undefined without any lately. */
export function pictureTime({ stages = {} }: Pick<Status, 'stages'>): number | undefined {
  const times = STAGES.map((stage) => stages[stage]?.p50).filter((ms) => typeof ms === 'number');
  return times.length === 0 ? undefined : times.reduce((sum, ms) => sum + ms, 0);
}

function slowestOf({ stages = {} }: Status): Stage {
  const timeOf = (stage: Stage) => stages[stage]?.p50 ?? 0;
  return STAGES.reduce((slowest, stage) => (timeOf(stage) > timeOf(slowest) ? stage : slowest));
}

/**
 * What keeps a server from being well, the worst first.
 * @param failed requests and frames that failed in the time that the page looks back on
 */
export function findingsOf(status: Status, failed: number, words: VerdictWords): Finding[] {
  const { vision, gallery, trouble = [], damaged = [], events, stages = {} } = status;
  const findings: Finding[] = [];
  const bad = (text: string) => findings.push({ level: 'bad', text });
  const warn = (text: string) => findings.push({ level: 'warn', text });
  if (vision.threads === 0) bad(words.noThreads);
  for (const { what, message } of trouble) {
    const known = what === 'gallery' ? words.obstacles[gallery.obstacle ?? ''] : undefined;
    bad(known ?? words.troubleOf(what, message));
  }
  if (failed > 0) warn(words.failing(failed));
  const refused = status.refusedProviders?.at(0);
  if (refused && status.provider === 'cpu') warn(words.cpuInstead(refused.provider, refused.reason));
  const wait = stages.queue?.p95 ?? 0;
  const time = pictureTime(status) ?? 0;
  if (wait > LONG_WAIT) warn(words.longWait(wait));
  else if (time > SLOW) warn(words.slow(time, slowestOf(status)));
  if (gallery.snapshot && gallery.snapshot.recall < LOW_RECALL)
    warn(words.lowRecall(gallery.snapshot.recall));
  if ((events?.behind ?? 0) > FAR_BEHIND) warn(words.farBehind(events?.behind ?? 0));
  if (damaged.length > 0) warn(words.damagedFound(damaged.length));
  return findings;
}

/**
 * Counts requests and frames that failed lately, from one answer of the server to the next.
 * @param span milliseconds that it looks back on
 */
export function createFailures(span: number) {
  const before = new Map<number, number>();
  let failures: { at: number; count: number }[] = [];
  return {
    /** @returns how many failed within the span, as far as the page has seen */
    count(now: number, { pid = 0, requests, streams }: Pick<Status, 'pid' | 'requests' | 'streams'>): number {
      const errors = (requests?.errors ?? 0) + (streams?.errors ?? 0);
      // What failed before the page was opened is not news.
      const more = errors - (before.get(pid) ?? errors);
      before.set(pid, errors);
      if (more > 0) failures.push({ at: now, count: more });
      failures = failures.filter(({ at }) => now - at < span);
      return failures.reduce((sum, { count }) => sum + count, 0);
    },
  };
}
