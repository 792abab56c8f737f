import { ApiError, messageOf } from '../lib/api.js';
import { type CheckState, type Findings, readFindings, startCheck, stopCheck } from '../lib/check-api.js';
import { element } from '../lib/dom.js';
import { createFindingsView } from '../lib/findings-view.js';
import { formatDate, formatNumber, words } from '../lib/i18n.js';
import { pageNeeds, whetherMay } from '../lib/session.js';
import { openPage } from '../lib/shell.js';
import { createThresholdView } from '../lib/threshold-view.js';
import { toast } from '../lib/toast.js';

/** Findings of each kind that are shown at first, and more of. */
const PAGE = 20;
/** The most that one answer has. */
const MOST = 200;
/** Between two looks at how far it is, milliseconds. */
const LOOK_EVERY = 1500;
/** Between two tries when the server does not answer, milliseconds. */
const AGAIN = 3000;

openPage();

const look = element('look', HTMLButtonElement);
const stop = element('stop', HTMLButtonElement);
const state = element('state', HTMLElement);
const progress = element('progress', HTMLProgressElement);
const say = element('say', HTMLElement);
const threshold = createThresholdView(element('threshold', HTMLElement));
const findings = createFindingsView(element('findings', HTMLElement), {
  onChange: () => void load(),
  onError: fail,
  onMore() {
    shown = Math.min(MOST, shown + PAGE);
    void load();
  },
});
let shown = PAGE;
let mayChoose = false;
let timer: number | undefined;
/** When the check-up ended whose findings are on the page. */
let shownOf: string | undefined;

function fail(error: unknown): void {
  toast(messageOf(error), { kind: 'bad' });
}

function showState(now: CheckState & Partial<Findings>): void {
  const isRunning = now.state === 'running';
  const hadFocus = document.activeElement === stop;
  progress.hidden = stop.hidden = !isRunning;
  look.disabled = isRunning;
  if (hadFocus && !isRunning) look.focus();
  progress.value = now.progress;
  const text = textOf(now);
  if (state.textContent !== text) state.textContent = text;
}

function textOf({
  state: how,
  progress: part,
  finishedAt,
  pictures = 0,
}: CheckState & Partial<Findings>): string {
  const when = finishedAt === undefined ? '' : formatDate(finishedAt);
  if (how === 'none') return words.checkNever;
  if (how === 'running') return words.checkRunning(formatNumber(Math.floor(part * 100)));
  if (how === 'cancelled') return words.checkCancelled;
  if (how === 'failed') return words.checkFailed;
  return pictures > 0 ? words.checkDone(when, formatNumber(pictures)) : words.checkDoneTied(when);
}

async function load(): Promise<void> {
  window.clearTimeout(timer);
  try {
    const found = await readFindings(shown);
    say.textContent = '';
    showState(found);
    findings.show(found);
    if (mayChoose && shownOf !== (found.finishedAt ?? '')) await threshold.load();
    shownOf = found.finishedAt ?? '';
    if (found.state === 'running') timer = window.setTimeout(() => void watch(), LOOK_EVERY);
  } catch (error) {
    say.textContent = messageOf(error);
    if (error instanceof ApiError && (error.status === 0 || error.status >= 500))
      timer = window.setTimeout(() => void load(), AGAIN);
  }
}

/** While it runs, only how far it is: the cards must not be drawn anew under the pointer. */
async function watch(): Promise<void> {
  try {
    const now = await readFindings(1);
    say.textContent = '';
    showState(now);
    if (now.state !== 'running') {
      await load();
      return;
    }
  } catch (error) {
    say.textContent = messageOf(error);
  }
  timer = window.setTimeout(() => void watch(), LOOK_EVERY);
}

async function begin(): Promise<void> {
  look.disabled = true;
  try {
    showState(await startCheck());
    stop.focus();
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void watch(), LOOK_EVERY / 3);
  } catch (error) {
    look.disabled = false;
    fail(error);
  }
}

look.addEventListener('click', () => void begin());
stop.addEventListener('click', () => {
  stopCheck().then(() => watch(), fail);
});

function open(): void {
  pageNeeds('enrol')
    .then(async (may) => {
      if (!may) return;
      mayChoose = await whetherMay('keys');
      look.disabled = false;
      await load();
    })
    .catch((error: unknown) => {
      say.textContent = messageOf(error);
      window.setTimeout(open, AGAIN);
    });
}
open();
