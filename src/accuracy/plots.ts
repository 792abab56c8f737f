/** The plots of a report. */
import type { Identification } from './error-rates.js';
import type { PackReport } from './measure.js';
import { drawPlot, type PlotLine } from './plot.js';

/** The plots by file name; each has one or two lines per pack. */
export function drawReports(reports: readonly PackReport[]): Map<string, string> {
  return new Map([
    [
      'det-verification.svg',
      drawPlot({
        title: 'One to one: pictures of one person missed, of two confused',
        x: 'false match rate (FMR)',
        y: 'false non-match rate (FNMR)',
        lines: reports.map(({ pack, verification }): PlotLine => ({
          name: pack,
          points: verification.det.map(({ fmr, fnmr }) => ({ x: fmr, y: fnmr })),
        })),
      }),
    ],
    [
      'det-identification.svg',
      drawPlot({
        title: titleOf(reports),
        x: 'false positive identification rate (FPIR): strangers who are named',
        y: 'false negative identification rate (FNIR)',
        lines: reports.flatMap(({ pack, identification, reference }) =>
          wholeGalleries({ identification, reference }).map(({ size, det }): PlotLine => ({
            name: `${pack}, ${size.faces === 1 ? '1 face' : `${size.faces} faces`} each`,
            group: pack,
            dashed: size.faces > 1,
            points: det.map(({ fpir, fnir }) => ({ x: fpir, y: fnir })),
          })),
        ),
      }),
    ],
  ]);
}

function titleOf(reports: readonly PackReport[]): string {
  const first = reports.flatMap(wholeGalleries).at(0);
  return first ? `One to many: ${first.size.people} people enrolled` : 'One to many';
}

/** The largest galleries without strangers, with one and with two faces per person, by the server's own reference. */
export function wholeGalleries({
  identification,
  reference,
}: Pick<PackReport, 'identification' | 'reference'>): Identification[] {
  const plain = identification.filter((one) => one.size.filling === 0 && one.reference === reference);
  return [1, 2].flatMap((faces) => {
    const sizes = plain.filter(({ size }) => size.faces === faces);
    return sizes.toSorted((a, b) => b.size.people - a.size.people).slice(0, 1);
  });
}
