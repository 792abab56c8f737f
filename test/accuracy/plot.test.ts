import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drawPlot } from '../../src/accuracy/plot.js';

/** Corners of the n-th curve. */
function pathOf(svg: string, index: number): [number, number][] {
  const paths = [...svg.matchAll(/<path d="([^"]+)" fill="none"[^>]*><title>/g)];
  return [...paths[index][1].matchAll(/([\d.]+),([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
}

describe('a plot', () => {
  const lines = [
    { name: 'one', points: [0.001, 0.01, 0.1, 1].map((x) => ({ x, y: 1e-3 / x })) },
    {
      name: 'two',
      dashed: true,
      points: [
        { x: 0.001, y: 0.5 },
        { x: 1, y: 0 },
      ],
    },
  ];
  const svg = drawPlot({ title: 'T & T', x: 'across', y: 'up', lines });

  it('has decades at even distances on both axes', () => {
    assert.match(svg, />0\.1 %<[^]*>1 %<|>1 %<[^]*>0\.1 %</);
    // Steps: each point of the line is a corner, with another before it.
    const corners = pathOf(svg, 0);
    const across = [...new Set(corners.map(([x]) => x))];
    const up = [...new Set(corners.map(([, y]) => y))];
    assert.equal(across.length, 4);
    const even = (values: number[]) =>
      values.slice(2).every((value, i) => Math.abs(value - 2 * values[i + 1] + values[i]) < 0.25);
    assert.ok(even(across) && even(up), `${across.join(' ')}; ${up.join(' ')}`);
    assert.ok(across[1] > across[0] && up[1] > up[0], 'a smaller rate lies lower');
  });

  it('lays a rate of nothing on the lower end, and not out of the picture', () => {
    const lowest = Math.max(...pathOf(svg, 0).map(([, y]) => y));
    assert.equal(Math.max(...pathOf(svg, 1).map(([, y]) => y)), lowest);
  });

  it('names its lines and escapes what is no text in SVG', () => {
    assert.match(svg, /<title>T &amp; T<\/title>/);
    assert.match(svg, />two<\/text>/);
    assert.match(svg, /stroke-dasharray/);
  });

  it('of nothing is a plot with axes', () => {
    assert.doesNotMatch(drawPlot({ title: '', x: '', y: '', lines: [] }), /NaN|Infinity/);
  });
});
