import { ApiError, call, messageOf } from '../lib/api.js';
import { createChart } from '../lib/chart.js';
import { withCode } from '../lib/code.js';
import { element, make } from '../lib/dom.js';
import { type Fact, showFacts } from '../lib/fact-list.js';
import { formatDate, formatNumber, formatTime, language, words } from '../lib/i18n.js';
import { openPage } from '../lib/shell.js';
import { explainThreshold } from '../logic/odds.js';
import { formatDuration } from '../logic/series.js';
import {
  createFailures,
  type Finding,
  findingsOf,
  pictureTime,
  STAGES,
  type Status,
} from '../logic/status.js';

/** Between two requests, milliseconds. */
const EVERY = 2000;
/** An answer that takes longer does not come, milliseconds. */
const PATIENCE = 5000;
/** What a chart shows, and what the verdict looks back on, milliseconds. */
const SPAN = 120_000;
/** How many damaged files are named. */
const MAX_NAMED = 10;

openPage();

const verdict = element('verdict', HTMLElement);
const line = element('verdict-line', HTMLElement);
const others = element('verdict-others', HTMLUListElement);
const facts = element('facts', HTMLElement);
const charts = element('charts', HTMLElement);
const failures = createFailures(SPAN);

const options = { span: SPAN, gap: 2.5 * EVERY };
const requests = createChart({ title: words.requests, unit: words.perSecondUnit, ...options });
const streams = createChart({ title: words.streams, unit: words.framesUnit, ...options });
const queue = createChart({ title: words.queue, unit: words.pictureUnit, ...options });
const stages = new Map(
  STAGES.map((stage) => [stage, createChart({ title: words.stages[stage], unit: 'ms', ...options })]),
);
const all = [requests, streams, queue, ...stages.values()];
charts.append(...all.map(({ root }) => root));

/** When the server answered last, milliseconds since 1970. */
let seen: number | undefined;
let isAsking = false;
/** What the verdict says, so that a screen reader hears of a change alone. */
let said = '';

function tell(level: 'good' | Finding['level'] | 'wait', first: string, more: readonly string[]): void {
  verdict.dataset.level = level;
  const now = [first, ...more].join('\n');
  if (now === said) return;
  said = now;
  line.replaceChildren(...withCode(first));
  others.replaceChildren(...more.map((text) => make('li', {}, ...withCode(text))));
}

function judge(status: Status, now: number): void {
  const findings = findingsOf(status, failures.count(now, status), words);
  if (findings.length > 0) {
    const level = findings.some((finding) => finding.level === 'bad') ? 'bad' : 'warn';
    const [first, ...more] = findings.map(({ text }) => text);
    tell(level, first, more);
    return;
  }
  const { people } = status.gallery;
  const ms = pictureTime(status);
  // In steps, or the line would change with every answer.
  const time = ms === undefined ? '' : `${formatNumber(Math.max(10, Math.round(ms / 10) * 10))} ms`;
  tell('good', words.allWell, [
    people === 0 ? words.nobodyEnrolled : words.wellLine(formatNumber(people), time),
  ]);
}

function factsOf(status: Status): Fact[] {
  const { vision, gallery, thresholds, damaged = [], trouble = [], offer, refusedProviders = [] } = status;
  const list: Fact[] = [];
  const add = (term: string, text: string, className?: string) => list.push({ term, text, className });
  for (const { what, message } of trouble) add(words.troubled, words.troubleOf(what, message), 'wide bad');
  if (damaged.length > 0) {
    const named = damaged.slice(0, MAX_NAMED).map(({ what, reason }) => `${what}: ${reason}`);
    add(words.damaged(damaged.length), named.join('; '), 'wide');
  }
  if (thresholds) add(words.threshold, explainThreshold(thresholds, words, language), 'wide');
  add(words.model, status.title ?? status.pack);
  if (offer) add(words.betterModel, words.switchModel(offer.title, offer.command));
  add(words.provider, status.provider === 'cpu' ? 'CPU' : status.provider.toUpperCase());
  if (vision.kernels !== undefined) add(words.detector, words.detectorOf(vision.kernels));
  for (const { provider, reason } of refusedProviders) add(words.refusedProvider(provider), reason);
  add(words.workers, words.workersAndThreads(status.workers ?? 1, vision.threads));
  if (vision.note) add(words.visionNote, vision.note);
  add(words.people, formatNumber(gallery.people));
  add(words.pictures, formatNumber(gallery.faces));
  add(words.groups, formatNumber(gallery.groups));
  add(words.index, gallery.index);
  if (gallery.snapshot) {
    const { number, recall, newer } = gallery.snapshot;
    const date = formatDate(new Date(number).toISOString());
    add(words.snapshot, words.snapshotOf(date, formatNumber(newer), formatNumber(recall * 100, 1)), 'wide');
  }
  const { kept } = status.sightings ?? {};
  if (kept) {
    const since = kept.oldest === null ? '' : formatDate(kept.oldest);
    add(
      words.sightings,
      words.sightingsKept(formatNumber(kept.sightings), `${formatNumber(kept.bytes / 1e6, 1)} MB`, since),
    );
  }
  if (thresholds) {
    add(words.namedBelow, formatNumber(thresholds.identical, 3));
    add(words.certainBelow, formatNumber(thresholds.sure, 3));
  }
  add(words.requestsInAll, formatNumber(status.requests?.total ?? 0));
  add(words.streamsOpen, formatNumber(status.streams?.open ?? 0));
  add(words.framesInAll, formatNumber(status.streams?.frames ?? 0));
  add(words.failures, formatNumber((status.requests?.errors ?? 0) + (status.streams?.errors ?? 0)));
  add(words.memory, status.memory ? `${formatNumber(status.memory.rss / 1e6)} MB` : '–');
  add(words.uptime, formatDuration(status.uptime, words.units));
  add(words.version, status.version);
  return list;
}

function show(status: Status): void {
  const now = Date.now();
  seen = now;
  judge(status, now);
  showFacts(facts, factsOf(status));
  facts.classList.remove('stale');
  requests.push(now, status.requests?.perSecond);
  streams.push(now, status.streams?.perSecond, {
    value: status.streams?.open,
    label: words.streamsNote,
    unit: '',
  });
  queue.push(now, status.vision.queued, { value: status.vision.running, label: words.running });
  for (const [stage, chart] of stages) {
    const figures = status.stages?.[stage];
    chart.push(now, figures?.p50 ?? undefined, { value: figures?.p95 ?? undefined, label: 'p95' });
  }
}

/** The figures are those of another moment now: they say of which. */
function showOutage(error: unknown): void {
  const isGone = !(error instanceof ApiError) || error.status === 0;
  const time = seen === undefined ? undefined : formatTime(seen);
  if (!isGone) tell('bad', messageOf(error), time === undefined ? [] : [words.lastSeen(time)]);
  else tell('bad', time === undefined ? words.neverSeen : words.goneSince(time), []);
  if (time === undefined) return;
  facts.classList.add('stale');
  for (const chart of all) chart.wait(Date.now(), words.lastSeen(time));
}

async function refresh(): Promise<void> {
  if (document.hidden || isAsking) return;
  isAsking = true;
  try {
    show(await call<Status>('GET', '/api/v1/status', { signal: AbortSignal.timeout(PATIENCE) }));
  } catch (error) {
    showOutage(error);
  } finally {
    isAsking = false;
  }
}

tell('wait', words.looking, []);
window.setInterval(() => void refresh(), EVERY);
document.addEventListener('visibilitychange', () => void refresh());
void refresh();
