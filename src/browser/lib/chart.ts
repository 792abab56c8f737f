import { createSeries, linePath, minutesIn, niceTop } from '../logic/series.js';
import { make } from './dom.js';
import { formatNumber, formatTime } from './i18n.js';

const WIDTH = 240;
const HEIGHT = 64;
const SVG = 'http://www.w3.org/2000/svg';
/** Nearer to an edge than this, parts of the width, a time on the axis would be cut off. */
const EDGE = 0.09;

function path(className: string): SVGPathElement {
  const made = document.createElementNS(SVG, 'path');
  made.setAttribute('class', className);
  made.setAttribute('vector-effect', 'non-scaling-stroke');
  return made;
}

export interface ChartOptions {
  title: string;
  unit: string;
  /** From the left edge to the right one, milliseconds. */
  span: number;
  /** Without a value for so long the line is interrupted, milliseconds. */
  gap: number;
}

/** A small live chart over time with its newest figure in large type: one line, and perhaps a second, paler one. */
export function createChart({ title, unit, span, gap }: ChartOptions) {
  const first = createSeries(span);
  const second = createSeries(span);
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', title);
  const paths = { minutes: path('minutes'), second: path('second'), first: path('first') };
  svg.append(paths.minutes, paths.second, paths.first);
  const figure = make('strong', {}, '–');
  const note = make('span', { className: 'note' });
  const top = make('span', { className: 'top-of-scale', ariaHidden: 'true' });
  const axis = make('div', { className: 'time-axis', ariaHidden: 'true' });
  const root = make('figure', { className: 'chart' });
  const plot = make('div', { className: 'plot' });
  plot.append(svg, top);
  root.append(make('figcaption', {}, make('span', {}, title), figure, note), plot, axis);

  const withUnit = (shown: number, its = unit) => {
    const digits = Number.isInteger(shown) || shown >= 10 ? 0 : 1;
    return `${formatNumber(shown, digits)} ${its}`.trim();
  };

  function draw(now: number): void {
    const all = [...first.points, ...second.points].map(({ value }) => value ?? 0);
    const scale = niceTop(Math.max(0, ...all));
    const area = { now, span, gap, top: scale, width: WIDTH, height: HEIGHT };
    paths.first.setAttribute('d', linePath(first.points, area));
    paths.second.setAttribute('d', linePath(second.points, area));
    const ticks = minutesIn(now, span);
    const lines = ticks.map(({ place }) => `M${(place * WIDTH).toFixed(1)} 0v${HEIGHT}`);
    paths.minutes.setAttribute('d', lines.join(''));
    axis.replaceChildren(
      ...ticks
        .filter(({ place }) => place > EDGE && place < 1 - EDGE)
        .map(({ at, place }) => {
          const label = make('span', {}, formatTime(at));
          label.style.left = `${(place * 100).toFixed(1)}%`;
          return label;
        }),
    );
    top.textContent = withUnit(scale);
  }

  return {
    root,
    /** @param above the second line's value, which the note shows as `label figure`; `unit`: another one, and no line */
    push(
      now: number,
      value: number | undefined,
      above?: { value: number | undefined; label: string; unit?: string },
    ): void {
      first.push(now, value);
      // What is counted in something else has no place on this scale.
      if (above?.unit === undefined) second.push(now, above?.value);
      const text = value === undefined ? '–' : withUnit(value);
      figure.textContent = text;
      note.textContent =
        above?.value === undefined ? '' : `${above.label} ${withUnit(above.value, above.unit)}`;
      svg.setAttribute('aria-label', `${title}: ${text}`);
      root.classList.remove('stale');
      draw(now);
    },
    /** There is no news: time goes on, and the last figure is that of another moment. @param since says which */
    wait(now: number, since: string): void {
      root.classList.add('stale');
      note.textContent = since;
      draw(now);
    },
  };
}
