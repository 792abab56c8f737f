/** Detection error tradeoff (DET) curves as SVG with two logarithmic axes (ISO/IEC 19795-1, as NIST's FRTE plots them). */
import { scaleLog } from 'd3-scale';
import { curveStepAfter, line } from 'd3-shape';

/** One line of a plot: rates from 0 to 1, x ascending. */
export interface PlotLine {
  name: string;
  points: readonly { x: number; y: number }[];
  dashed?: boolean;
  /** Lines of the same group have the same colour. Left out: the line has its own. */
  group?: string;
}

export interface Plot {
  title: string;
  x: string;
  y: string;
  lines: readonly PlotLine[];
}

const WIDTH = 940;
const HEIGHT = 480;
/** The names of the lines are on the right. */
const MARGIN = { top: 44, right: 236, bottom: 56, left: 72 };
/** Colours that most colour-blind people can tell apart (Okabe and Ito 2008). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
const GRID = '#dddddd';
const INK = '#222222';
/** Rates that a logarithmic axis cannot show, such as 0, are drawn at its lower end. */
const SMALLEST = 1e-7;

/** Draws a plot. @returns an SVG document */
export function drawPlot({ title, x, y, lines }: Plot): string {
  const all = lines.flatMap(({ points }) => points);
  const across = scaleLog(domainOf(all.map((point) => point.x)), [MARGIN.left, WIDTH - MARGIN.right]);
  const up = scaleLog(domainOf(all.map((point) => point.y)), [HEIGHT - MARGIN.bottom, MARGIN.top]);
  const [[left, right], [bottom, top]] = [across.range(), up.range()];
  const text = (at: [number, number], words: string, more = '') =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}"${more}>${escape(words)}</text>`;
  const rule = (x1: number, y1: number, x2: number, y2: number) =>
    `<path d="M${x1.toFixed(1)} ${y1.toFixed(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}" stroke="${GRID}"/>`;

  const grid = [
    ...decadesOf(across.domain()).flatMap((rate) => [
      rule(across(rate), bottom, across(rate), top),
      text([across(rate), bottom + 18], percent(rate), ' text-anchor="middle"'),
    ]),
    ...decadesOf(up.domain()).flatMap((rate) => [
      rule(left, up(rate), right, up(rate)),
      text([left - 8, up(rate) + 4], percent(rate), ' text-anchor="end"'),
    ]),
  ];
  const groups = [...new Set(lines.map(({ group, name }) => group ?? name))];
  const [smallestX] = across.domain();
  const [smallestY] = up.domain();
  const path = line<{ x: number; y: number }>(
    (point) => across(Math.max(smallestX, point.x)),
    (point) => up(Math.max(smallestY, point.y)),
  )
    .curve(curveStepAfter)
    .digits(1);
  const drawn = lines.map(({ name, group, points, dashed }, i) => {
    const colour = COLOURS[groups.indexOf(group ?? name) % COLOURS.length];
    const dash = dashed ? ' stroke-dasharray="6 4"' : '';
    const style = `fill="none" stroke="${colour}" stroke-width="2"${dash}`;
    const at = top + 14 + i * 18;
    return [
      `<path d="${path(points) ?? ''}" ${style}><title>${escape(name)}</title></path>`,
      `<path d="M${right + 16} ${at - 4}h28" ${style}/>`,
      text([right + 52, at], name),
    ].join('\n');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="13" fill="${INK}" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text([left, 24], title, ' font-size="16"'),
    ...grid,
    text([(left + right) / 2, HEIGHT - 14], x, ' text-anchor="middle"'),
    text([-(top + bottom) / 2, 18], y, ' text-anchor="middle" transform="rotate(-90)"'),
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

/** The axis: whole decades around the values, at least one. */
function domainOf(values: readonly number[]): [number, number] {
  const shown = values.filter((value) => value >= SMALLEST);
  const smallest = shown.length > 0 ? Math.min(...shown) : 0.1;
  return [10 ** Math.min(-1, Math.floor(Math.log10(smallest))), 1];
}

function decadesOf([smallest]: readonly number[]): number[] {
  const decades = Math.round(-Math.log10(smallest));
  return Array.from({ length: decades + 1 }, (_, i) => 10 ** -i);
}

/** 0.01 as 1 %, without the digits that come from binary rounding. */
const percent = (rate: number) => `${Number((rate * 100).toPrecision(3))} %`;

const escape = (words: string) =>
  words.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign] ?? '&quot;');
