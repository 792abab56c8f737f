import { createSeries, linePath, niceTop } from '../logic/series.js';
import { make } from './dom.js';
import { formatNumber } from './i18n.js';

const WIDTH = 240;
const HEIGHT = 64;
const SVG = 'http://www.w3.org/2000/svg';

function line(className: string): SVGPathElement {
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('class', className);
  path.setAttribute('vector-effect', 'non-scaling-stroke');
  return path;
}

/** A small live chart with its newest figure in large type: one line, and perhaps a second, paler one above it. */
export function createChart(title: string, unit: string, length: number) {
  const first = createSeries(length);
  const second = createSeries(length);
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('role', 'img');
  const paths = { second: line('second'), first: line('first') };
  svg.append(paths.second, paths.first);
  const figure = make('strong', {}, '–');
  const note = make('span', { className: 'note' });
  const top = make('span', { className: 'top-of-scale', ariaHidden: 'true' });
  const root = make('figure', { className: 'chart' });
  root.append(make('figcaption', {}, make('span', {}, title), figure, note), svg, top);

  const withUnit = (shown: number) => {
    const digits = Number.isInteger(shown) || shown >= 10 ? 0 : 1;
    return `${formatNumber(shown, digits)} ${unit}`.trim();
  };

  return {
    root,
    /** @param above the second line's value, which the note shows as `label figure` */
    push(value: number | undefined, above?: { value: number | undefined; label: string }): void {
      first.push(value);
      second.push(above?.value);
      const scale = niceTop(Math.max(0, ...[...first.values, ...second.values].map((each) => each ?? 0)));
      const size = { length, top: scale, width: WIDTH, height: HEIGHT };
      paths.first.setAttribute('d', linePath(first.values, size));
      paths.second.setAttribute('d', linePath(second.values, size));
      const text = value === undefined ? '–' : withUnit(value);
      figure.textContent = text;
      note.textContent = above?.value === undefined ? '' : `${above.label} ${withUnit(above.value)}`;
      top.textContent = withUnit(scale);
      svg.setAttribute('aria-label', `${title}: ${text}`);
    },
  };
}
