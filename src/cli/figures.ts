import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../settings/config.js';
import { KaomonError } from '../platform/errors.js';
import { constantsOf, rateOfSimilarity } from '../http/compreface/similarity.js';
import { type Pack, PACKS } from '../models/packs/packs.js';
import { createDecision, LOOSEST_RATE } from '../identity/decision.js';
import { distanceAt, falseMatchRateFor, falsePositiveRate, leastRate } from '../identity/odds.js';
import { PROJECT_ROOT } from '../platform/root.js';
import { runCommand } from './shared/parts.js';

const USAGE = `Usage: kaomon figures [--write]
Prints the tables of docs/thresholds.md and docs/compreface.md that are computed from the code: packs, curves, defaults.
  --write   write them into the documents, between their markers`;

/** What the tables are computed from. */
interface Given {
  packs: readonly Pick<Pack, 'id' | 'embedder' | 'thresholds' | 'curve'>[];
  /** The default of FALSE_NAMES. */
  falseNames: number;
}
type Cells = string[];

const SIZES = [10, 100, 1000, 10_000, 100_000];
const RATES = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
const SIMILARITIES = [0.5, 0.9, 0.95, 0.97, 0.99];
/** Subjects in the example collection of docs/compreface.md. */
const COLLECTION = 100;

const count = (value: number) => value.toLocaleString('en');
const places = (value: number, digits = 3) => value.toFixed(digits);
/** `1 in 2,600`: rounded down to two significant digits. */
const oneIn = (rate: number) => {
  const times = 1 / rate + 1e-6;
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(times)) - 1);
  return `1 in ${count(Math.floor(times / unit) * unit)}`;
};
const percent = (part: number) => `${Number((100 * part).toPrecision(2))} %`;

/** The tables, by the name in their markers. */
const TABLES: Record<string, { document: string; rows: (given: Given) => Cells[] }> = {
  thresholds: {
    document: 'thresholds.md',
    rows: ({ packs, falseNames }) => [
      ['pack', ...SIZES.map((faces) => `${count(faces)} faces`), 'two faces'],
      ...packs.map((pack) => {
        const decisions = SIZES.map((faces) =>
          createDecision({ pack, config: { FALSE_NAMES: falseNames }, gallery: { searched: () => faces } }),
        );
        const cells = pack.curve
          ? decisions.map((one) => `${places(one.threshold())} / ${places(one.sure())}`)
          : [`${places(pack.thresholds.identical)} / ${places(pack.thresholds.sure)}, fixed`, '', '', '', ''];
        return [`\`${pack.id}\``, ...cells, places(decisions[0].pair())];
      }),
    ],
  },
  curves: {
    document: 'thresholds.md',
    rows: ({ packs }) => {
      const curved = packs.filter(({ curve }) => curve);
      if (curved.length === 0)
        return [
          ['FMR', 'distance'],
          ['none of our packs was measured', ''],
        ];
      return [
        ['FMR', ...curved.map(({ id }) => `\`${id}\``)],
        ...RATES.map((rate) => [
          oneIn(rate),
          ...curved.map(({ curve }) =>
            curve
              ? `${places(distanceAt(curve, rate))}${rate < leastRate(curve) ? ' (too few pairs)' : ''}`
              : '',
          ),
        ]),
        ['pairs behind it', ...curved.map(({ curve }) => count(curve?.pairs ?? 0))],
        ['best odds they tell', ...curved.map(({ curve }) => (curve ? oneIn(leastRate(curve)) : ''))],
      ];
    },
  },
  'false-names': {
    document: 'thresholds.md',
    rows: ({ falseNames }) => [
      [
        'faces searched',
        `FMR for FALSE_NAMES=${falseNames}`,
        'strangers named then',
        `strangers named by a threshold fixed at FMR ${oneIn(LOOSEST_RATE)}`,
      ],
      ...[1, ...SIZES].map((faces) => {
        const rate = Math.min(LOOSEST_RATE, falseMatchRateFor(falseNames, faces));
        return [
          count(faces),
          oneIn(rate),
          percent(falsePositiveRate(rate, faces)),
          percent(falsePositiveRate(LOOSEST_RATE, faces)),
        ];
      }),
    ],
  },
  similarity: {
    document: 'compreface.md',
    rows: ({ packs }) => {
      const curved = packs.filter(({ curve }) => curve);
      return [
        [
          'similarity',
          'FMR',
          `strangers let through by a collection of ${COLLECTION} subjects`,
          ...curved.map(({ id }) => `distance in \`${id}\``),
        ],
        ...SIMILARITIES.map((similarity) => {
          const rate = rateOfSimilarity(similarity);
          return [
            String(similarity),
            oneIn(rate),
            percent(falsePositiveRate(rate, COLLECTION)),
            ...curved.map(({ curve }) => (curve ? places(distanceAt(curve, rate)) : '')),
          ];
        }),
      ];
    },
  },
  constants: {
    document: 'compreface.md',
    rows: ({ packs }) => [
      ['pack without a curve', 'c0', 'c1'],
      ...packs
        .filter(({ curve }) => !curve)
        .map(({ id, embedder, thresholds }) => {
          const { c0, c1 } = constantsOf({ embedder: { name: embedder }, thresholds });
          return [`\`${id}\``, places(c0, 6), places(c1, 6)];
        }),
    ],
  },
};

/** The documents in docs/ that hold tables. */
export const DOCUMENTS = [...new Set(Object.values(TABLES).map(({ document }) => document))];

const inForce = (): Given => ({ packs: PACKS, falseNames: loadConfig({}).FALSE_NAMES });

/** A table as Prettier formats it: each column is as wide as its widest cell. */
function toMarkdown(rows: readonly Cells[]): string {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((cells) => cells[column].length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  const [head, ...body] = rows;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

/**
 * Puts the tables of a document between their markers.
 * @returns the document with the tables as they should be
 * @throws KaomonError SETUP when a marker is missing
 */
export function fillIn(document: string, text: string, given: Given = inForce()): string {
  let filled = text;
  for (const [name, table] of Object.entries(TABLES)) {
    if (table.document !== document) continue;
    const marks = new RegExp(`(<!-- figures: ${name} -->\n)[^]*?(<!-- end of ${name} -->)`);
    if (!marks.test(filled)) throw new KaomonError('SETUP', `docs/${document} has no markers for "${name}".`);
    const rows = toMarkdown(table.rows(given));
    filled = filled.replace(marks, (_, begin: string, end: string) => `${begin}\n${rows}\n\n${end}`);
  }
  return filled;
}

/**
 * `kaomon figures`: the tables of the documents that are computed from the code.
 * @param words the command line after the command
 * @returns the exit status
 */
export function main(words: string[]): Promise<number> {
  return runCommand(async () => {
    const { values } = parseArgs({
      args: words,
      options: {
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    if (!values.write) {
      const given = inForce();
      const all = Object.entries(TABLES).map(
        ([name, { document, rows }]) => `docs/${document}, ${name}\n\n${toMarkdown(rows(given))}\n`,
      );
      console.log(all.join('\n'));
      return 0;
    }
    for (const document of DOCUMENTS) {
      const file = path.join(PROJECT_ROOT, 'docs', document);
      const text = await readFile(file, 'utf8');
      const filled = fillIn(document, text);
      if (filled !== text) await writeFile(file, filled);
    }
    return 0;
  });
}
