import { FARTHEST, type Histogram, outcomeAt, perThousand, type Tally } from '../logic/outcome.js';
import { explainThreshold } from '../logic/odds.js';
import { chooseThreshold, readThreshold, type ThresholdAudit } from './check-api.js';
import { messageOf } from './api.js';
import { make } from './dom.js';
import { formatNumber, language, words } from './i18n.js';
import { toast } from './toast.js';
import { offerUndo } from './undo.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 600;
const HEIGHT = 160;
/** Squared L2 between two places of the line. */
const STEP = 0.01;

const told = (distance: number) => formatNumber(distance, 2);
const tellPart = (part: number, whole: number) => {
  const value = perThousand(part, whole);
  return formatNumber(value, Number.isInteger(value) ? 0 : 1);
};

/** The threshold's part of the page: two histograms, a line to drag, and what it would do. */
export function createThresholdView(root: HTMLElement) {
  let audit: ThresholdAudit | undefined;
  let farthest = FARTHEST / 2;

  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  const draw = (name: string) => {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', name);
    path.setAttribute('vector-effect', 'non-scaling-stroke');
    svg.append(path);
    return path;
  };
  const paths = { different: draw('different'), same: draw('same'), line: draw('line') };
  const plot = make('div', { className: 'plot' });
  plot.append(svg);
  const slider = make('input', { type: 'range', id: 'line', min: '0.01', step: String(STEP) });
  const label = make('label', { htmlFor: 'line' }, words.thresholdLine);
  const value = make('output', { htmlFor: 'line' } as object);
  const own = make('p', { className: 'forecast' });
  const ownOf = make('p', { className: 'quiet-text' });
  const strangers = make('p', { className: 'forecast' });
  const strangersOf = make('p', { className: 'quiet-text' });
  const inForce = make('p');
  const meaning = make('p', { className: 'quiet-text' });
  const apply = make('button', { type: 'button', className: 'primary' }, words.apply);
  const back = make('button', { type: 'button' });
  const legend = make(
    'p',
    { className: 'legend' },
    make('span', { className: 'same' }, words.sameHistogram),
    make('span', { className: 'different' }, words.differentHistogram),
  );
  const lacking = make('p');
  const figure = make(
    'div',
    {},
    make('p', {}, words.thresholdPageExplained),
    legend,
    plot,
    make('div', { className: 'line' }, label, slider, value),
    make('div', { className: 'outcomes', ariaLive: 'polite' }, own, ownOf, strangers, strangersOf),
  );
  root.append(
    make('h2', {}, words.thresholdTitle),
    lacking,
    figure,
    inForce,
    meaning,
    make('div', { className: 'actions' }, apply, back),
  );

  function fail(error: unknown): void {
    toast(messageOf(error), { kind: 'bad' });
  }

  /** Where the line is. */
  const chosen = () => Number(slider.value);

  function show(tally: Tally): void {
    const at = chosen();
    const outcome = outcomeAt(tally, at);
    const x = ((at / farthest) * WIDTH).toFixed(1);
    paths.line.setAttribute('d', `M${x} 0V${HEIGHT}`);
    value.textContent = told(at);
    const few = outcome.own === 0;
    own.textContent = few
      ? words.tooFewPictures
      : words.ofOwn(tellPart(outcome.wrong, outcome.own), tellPart(outcome.missed, outcome.own));
    own.classList.toggle('forecast', !few);
    ownOf.textContent = few ? '' : words.ofOwnExplained(formatNumber(outcome.own));
    strangers.textContent = words.ofStrangers(tellPart(outcome.named, outcome.strangers));
    strangersOf.textContent = words.ofStrangersExplained(formatNumber(outcome.strangers));
    slider.setAttribute('aria-valuetext', `${told(at)}: ${own.textContent}. ${strangers.textContent}`);
    apply.disabled = audit !== undefined && Math.abs(at - audit.thresholds.identical) < STEP / 2;
  }

  function fill(now: ThresholdAudit): void {
    audit = now;
    const { tally, thresholds, unchosen } = now;
    root.hidden = false;
    lacking.textContent = tally ? '' : words.thresholdNoTally;
    lacking.hidden = tally !== null;
    figure.hidden = apply.hidden = tally === null;
    const { identical } = thresholds;
    inForce.textContent = (now.chosen === null ? words.inForce : words.inForceChosen)(told(identical));
    meaning.textContent = explainThreshold(thresholds, words, language);
    back.hidden = now.chosen === null;
    back.textContent = words.unchoose(told(unchosen));
    if (!tally) return;
    farthest = reachOf(tally, identical);
    slider.max = String(farthest);
    slider.value = String(Math.round(identical / STEP) * STEP);
    const top = Math.max(1, ...tally.same, ...tally.different);
    paths.same.setAttribute('d', areaOf(tally.same, farthest, top));
    paths.different.setAttribute('d', areaOf(tally.different, farthest, top));
    show(tally);
  }

  async function load(): Promise<void> {
    fill(await readThreshold());
  }

  async function choose(identical: number | null): Promise<void> {
    const before = await chooseThreshold(identical);
    await load();
    const text = identical === null ? words.unchosen : words.applied(told(identical));
    offerUndo(text, async () => {
      await chooseThreshold(before);
      await load();
    });
  }

  function drag({ clientX }: PointerEvent): void {
    const { left, width } = svg.getBoundingClientRect();
    const at = Math.min(1, Math.max(0, (clientX - left) / width)) * farthest;
    slider.value = String(Math.max(STEP, at));
    if (audit?.tally) show(audit.tally);
  }
  plot.addEventListener('pointerdown', (event) => {
    plot.setPointerCapture(event.pointerId);
    drag(event);
  });
  plot.addEventListener('pointermove', (event) => {
    if (plot.hasPointerCapture(event.pointerId)) drag(event);
  });
  slider.addEventListener('input', () => {
    if (audit?.tally) show(audit.tally);
  });
  apply.addEventListener('click', () => {
    choose(chosen()).catch(fail);
  });
  back.addEventListener('click', () => {
    choose(null).catch(fail);
  });

  return { load };
}

/** How far to the right there is something to see. */
function reachOf({ same, different }: Tally, identical: number): number {
  const last = Math.max(lastOf(same), lastOf(different));
  const reach = Math.max((last / same.length) * FARTHEST, identical) * 1.05;
  return Math.min(FARTHEST, Math.ceil(reach * 10) / 10);
}

function lastOf(histogram: Histogram): number {
  for (let i = histogram.length; i > 0; i--) if (histogram[i - 1] > 0) return i;
  return 0;
}

/** A histogram as an area; the root of the counts, so that few wrong ones are seen beside many right ones. */
function areaOf(histogram: Histogram, farthest: number, top: number): string {
  const wide = (FARTHEST / histogram.length / farthest) * WIDTH;
  let path = `M0 ${HEIGHT}`;
  for (const [i, count] of histogram.entries()) {
    if (i * wide > WIDTH) break;
    const y = HEIGHT - Math.sqrt(count / top) * (HEIGHT - 4);
    path += `L${(i * wide).toFixed(1)} ${y.toFixed(1)}H${((i + 1) * wide).toFixed(1)}`;
  }
  return `${path}V${HEIGHT}Z`;
}
