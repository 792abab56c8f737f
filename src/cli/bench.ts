import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { compareReports, describeComparison } from '../bench/compare.js';
import { FULL, QUICK } from '../bench/effort.js';
import { type Report, toMarkdown } from '../bench/report.js';
import { runBench, SECTION_NAMES, USUAL_SECTIONS } from '../bench/run.js';
import { loadConfig } from '../settings/config.js';
import { KaomonError } from '../platform/errors.js';
import { runCommand } from './shared/parts.js';

const DEFAULT_MARGIN = 0.3;
const USAGE = `Usage: npm run bench                                measures everything (some 20 minutes, 6 GB of memory)
       npm run bench -- --quick                     measures less of everything (2 minutes)
       npm run bench -- --only search --only http   measures some sections: ${SECTION_NAMES.join(', ')}
       npm run bench -- --sizes 1000,100000         the gallery sizes of the section "search"
       npm run bench -- --pack mtcnn+fr             with another pack than facenet
       npm run bench -- --to DIR                    saves there instead of in cache/bench
       npm run bench -- --compare A.json B.json     lists what got worse from A to B; exit status 1 when anything did
                        [--margin ${DEFAULT_MARGIN}]               by more than this fraction`;

/**
 * `npm run bench`: measures, prints and saves; or compares two saved runs.
 * @param words the command line after the command
 * @returns the exit status
 */
export function main(words: string[]): Promise<number> {
  return runCommand(async () => {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true },
        quick: { type: 'boolean', default: false },
        sizes: { type: 'string' },
        pack: { type: 'string' },
        to: { type: 'string' },
        compare: { type: 'boolean', default: false },
        margin: { type: 'string', default: String(DEFAULT_MARGIN) },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    if (values.compare) return await compare(positionals, Number(values.margin));
    if (positionals.length > 0)
      throw new KaomonError('SETUP', `Unexpected argument "${positionals[0]}".\n${USAGE}`);
    const sections = values.only?.flatMap((names) => names.split(',')) ?? USUAL_SECTIONS;
    const unknown = sections.find((name) => !SECTION_NAMES.includes(name));
    if (unknown !== undefined) {
      throw new KaomonError(
        'SETUP',
        `There is no section "${unknown}": the sections are ${SECTION_NAMES.join(', ')}.`,
      );
    }
    const effort = values.quick ? QUICK : FULL;
    const sizes = values.sizes?.split(',').map(Number) ?? effort.sizes;
    if (!sizes.every((size) => Number.isInteger(size) && size > 0))
      throw new KaomonError(
        'SETUP',
        `--sizes must be numbers of faces, separated by commas, not "${values.sizes}".`,
      );
    const config = loadConfig();
    const { report, files } = await runBench({
      config,
      effort: { ...effort, sizes },
      sections,
      pack: values.pack,
      folder: path.resolve(values.to ?? path.join(config.CACHE_DIR, 'bench')),
      command: ['npm run bench', ...(words.length > 0 ? ['--', ...words] : [])].join(' '),
      say: (line) => process.stderr.write(`  ${line}\n`),
    });
    console.log(toMarkdown(report));
    console.log(`Saved: ${files.json}\n       ${files.markdown}`);
    return report.rows.length > 0 ? 0 : 1;
  });
}

async function compare(files: readonly string[], margin: number): Promise<number> {
  if (files.length !== 2) throw new KaomonError('SETUP', `--compare takes two saved runs.\n${USAGE}`);
  if (!(margin > 0)) throw new KaomonError('SETUP', '--margin takes a share above 0, such as 0.3.');
  const [before, after] = await Promise.all(files.map(readReport));
  const comparisons = compareReports(before, after);
  if (comparisons.length === 0) throw new KaomonError('SETUP', 'The two runs have nothing in common.');
  console.log(describeComparison(comparisons, margin));
  return comparisons.some(({ worse }) => worse > 1 + margin) ? 1 : 0;
}

async function readReport(file: string): Promise<Report> {
  const refuse = (cause: unknown): never => {
    throw new KaomonError('SETUP', `${file} is no saved run of the benchmark.`, { cause });
  };
  const report: unknown = await readFile(file, 'utf8').then(JSON.parse).catch(refuse);
  return isReport(report) ? report : refuse(undefined);
}

function isReport(value: unknown): value is Report {
  return typeof value === 'object' && value !== null && 'format' in value && value.format === 'kaomon-bench';
}
