import { ApiError, call, messageOf } from '../lib/api.js';
import { createChart } from '../lib/chart.js';
import { element, make } from '../lib/dom.js';
import { formatNumber, language, words } from '../lib/i18n.js';
import { openPage } from '../lib/shell.js';
import { explainThreshold, type ThresholdMeaning } from '../logic/odds.js';
import { formatDuration } from '../logic/series.js';

/** Between two requests, milliseconds. */
const EVERY = 2000;
/** Points of a chart: two minutes. */
const LENGTH = 60;
/** How many damaged files are named. */
const MAX_NAMED = 10;
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

openPage();

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
  facts.replaceChildren();
  const add = (term: string, text: string, className = '') =>
    facts.append(make('div', { className }, make('dt', {}, term), make('dd', {}, text)));
  const { trouble = [], damaged = [], offer } = status;
  for (const { what, message } of trouble) add(words.troubled, words.troubleOf(what, message), 'wide bad');
  if (damaged.length > 0) {
    const named = damaged.slice(0, MAX_NAMED).map(({ what, reason }) => `${what}: ${reason}`);
    add(words.damaged(damaged.length), named.join('; '), 'wide');
  }
  if (thresholds) add(words.threshold, explainThreshold(thresholds, words, language), 'wide');
  add(words.model, title);
  if (offer) add(words.betterModel, words.switchModel(offer.title, offer.command));
  add(words.provider, provider === 'cpu' ? 'CPU' : provider.toUpperCase());
  for (const { provider: name, reason } of status.refusedProviders ?? [])
    add(words.refusedProvider(name), reason);
  add(words.workers, words.workersAndThreads(status.workers ?? 1, vision.threads));
  if (vision.note) add(words.visionNote, vision.note);
  add(words.people, formatNumber(gallery.people));
  add(words.pictures, formatNumber(gallery.faces));
  add(words.groups, formatNumber(gallery.groups));
  add(words.index, gallery.index);
  if (thresholds) {
    add(words.namedBelow, formatNumber(thresholds.identical, 3));
    add(words.certainBelow, formatNumber(thresholds.sure, 3));
  }
  add(words.requestsInAll, formatNumber(status.requests?.total ?? 0));
  add(words.failures, formatNumber(status.requests?.errors ?? 0));
  add(words.memory, status.memory ? `${formatNumber(status.memory.rss / 1e6)} MB` : '–');
  add(words.uptime, formatDuration(status.uptime, words.units));
  add(words.version, status.version);
  requests.push(status.requests?.perSecond);
  queue.push(vision.queued, { value: vision.running, label: words.running });
  for (const [stage, chart] of stages) {
    const figures = status.stages?.[stage];
    chart.push(figures?.p50 ?? undefined, { value: figures?.p95 ?? undefined, label: 'p95' });
  }
  say.textContent = '';
}

async function refresh(): Promise<void> {
  if (document.hidden) return;
  try {
    show(await call<Status>('GET', '/api/v1/status'));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    say.textContent = messageOf(error);
  }
}

window.setInterval(() => void refresh(), EVERY);
document.addEventListener('visibilitychange', () => void refresh());
void refresh();
