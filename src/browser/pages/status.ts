import { ApiError, call, sentenceOf } from '../lib/api.js';
import { createChart } from '../lib/chart.js';
import { element, make } from '../lib/dom.js';
import { formatNumber, language, words } from '../lib/i18n.js';
import { openPage } from '../lib/shell.js';
import { explainThreshold, type ThresholdMeaning } from '../logic/odds.js';
import { formatDuration } from '../logic/series.js';

/** Between two looks, milliseconds. */
const EVERY = 2000;
/** Two minutes of them. */
const LENGTH = 60;
/** Damaged files that are named. */
const MOST_NAMED = 10;
const STAGES = ['queue', 'decode', 'detect', 'embed', 'search'] as const;

interface Status {
  version: string;
  uptime: number;
  workers?: number;
  pack: string | { id: string; title?: string };
  thresholds?: ThresholdMeaning;
  offer?: { title: string; command: string };
  provider?: string;
  refusedProviders?: { provider: string; reason: string }[];
  vision: { threads: number; queued: number; running: number; provider?: string; note?: string };
  gallery: { people: number; faces: number; groups: number; index: string };
  requests?: { total: number; errors: number; perSecond: number };
  stages?: Partial<
    Record<(typeof STAGES)[number], { count: number; p50: number | null; p95: number | null }>
  >;
  memory?: { rss: number };
  eventLoop?: { p99: number };
  trouble?: { what: string; message: string }[];
  damaged?: { what: string; reason: string }[];
}

openPage(words.status);

const facts = element('facts', HTMLElement);
const charts = element('charts', HTMLElement);
const say = element('say', HTMLElement);
const requests = createChart(words.requests, words.perSecondUnit, LENGTH);
const queue = createChart(words.queue, words.pictureUnit, LENGTH);
const stages = new Map(STAGES.map((stage) => [stage, createChart(words.stages[stage], 'ms', LENGTH)]));
charts.append(requests.root, queue.root, ...[...stages.values()].map(({ root }) => root));

function show(status: Status): void {
  const { vision, gallery, thresholds } = status;
  const title = typeof status.pack === 'string' ? status.pack : (status.pack.title ?? status.pack.id);
  const provider = status.provider ?? vision.provider ?? '–';
  const refused = status.refusedProviders ?? [];
  const entries: [string, string][] = [
    [words.model, title],
    ...(status.offer
      ? [[words.betterModel, words.changeOver(status.offer.title, status.offer.command)] as [string, string]]
      : []),
    [words.provider, provider === 'cpu' ? 'CPU' : provider.toUpperCase()],
    ...refused.map(({ provider: name, reason }): [string, string] => [words.refusedProvider(name), reason]),
    [words.workers, words.workersAndThreads(status.workers ?? 1, vision.threads)],
    ...(vision.note ? [[words.visionNote, vision.note] satisfies [string, string]] : []),
    [words.people, formatNumber(gallery.people)],
    [words.pictures, formatNumber(gallery.faces)],
    [words.groups, formatNumber(gallery.groups)],
    [words.index, gallery.index],
    ...(thresholds
      ? ([
          [words.namedBelow, formatNumber(thresholds.identical, 3)],
          [words.certainBelow, formatNumber(thresholds.sure, 3)],
        ] as [string, string][])
      : []),
    [words.requestsInAll, formatNumber(status.requests?.total ?? 0)],
    [words.failures, formatNumber(status.requests?.errors ?? 0)],
    [words.memory, status.memory ? `${formatNumber(status.memory.rss / 1e6)} MB` : '–'],
    [words.uptime, formatDuration(status.uptime, words.units)],
    [words.version, status.version],
  ];
  const fact = (term: string, text: string, className = '') =>
    make('div', { className }, make('dt', {}, term), make('dd', {}, text));
  const { trouble = [], damaged = [] } = status;
  const named = damaged.slice(0, MOST_NAMED).map(({ what, reason }) => `${what}: ${reason}`);
  facts.replaceChildren(
    ...trouble.map(({ what, message }) => fact(words.troubled, words.troubleOf(what, message), 'wide bad')),
    ...(damaged.length > 0 ? [fact(words.damaged(damaged.length), named.join('; '), 'wide')] : []),
    ...(thresholds ? [fact(words.threshold, explainThreshold(thresholds, words, language), 'wide')] : []),
    ...entries.map(([term, text]) => fact(term, text)),
  );
  requests.push(status.requests?.perSecond);
  queue.push(vision.queued, { value: vision.running, label: words.running });
  for (const [stage, chart] of stages) {
    const figures = status.stages?.[stage];
    chart.push(figures?.p50 ?? undefined, { value: figures?.p95 ?? undefined, label: 'p95' });
  }
  say.textContent = '';
}

async function look(): Promise<void> {
  if (document.hidden) return;
  try {
    show(await call<Status>('GET', '/api/v1/status'));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    say.textContent = sentenceOf(error);
  }
}

window.setInterval(() => void look(), EVERY);
document.addEventListener('visibilitychange', () => void look());
void look();
