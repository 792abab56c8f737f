import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { NO_CACHE, openLookCache, packPrint } from '../accuracy/look-cache.js';
import type { WhichFace } from '../accuracy/looks.js';
import { measurePack, type PackReport } from '../accuracy/measure.js';
import { drawReports } from '../accuracy/plots.js';
import { compareReports, reportPack } from '../accuracy/report.js';
import { listSamples, type SampleList } from '../accuracy/samples.js';
import { type Config, loadConfig } from '../settings/config.js';
import { makeFolder } from '../platform/files/durable.js';
import { KaomonError } from '../platform/errors.js';
import { VERSION } from '../platform/version.js';
import { note, openPack, openVision, runCommand } from './shared/parts.js';

const USAGE = `Usage: kaomon accuracy PEOPLE.. [--strangers DIR].. [--pack ID].. [--except END]..
                      [--face largest|centre] [--quick] [--no-cache]
                      [--summary | --json | --curve] [--svg DIR]
  PEOPLE       a folder with one folder a person, two or more pictures in each
  --strangers  a folder of people who are not in PEOPLE: one folder each, or pictures of anybody
  --pack       a pack to measure, once or several times; left out, the setting MODEL_PACK
  --except     leave out a picture or folder whose path ends so
  --face       which face of a picture with several is the one that its folder names: the largest (as the product
               takes it), or the one nearest to the centre
  --quick      leave out the pictures that are made worse (shrunk, blurred)
  --no-cache   keep nothing in CACHE_DIR, and take nothing from there
  --summary    one line a pack
  --json       everything, for programs
  --curve      the packs' curves alone: what goes into a manifest as "curve"
  --svg        draw DET curves into this folder
Measures error rates on pictures whose people are known: one to one, one to many, from farther away. Nothing is enrolled.`;

/** Pictures handed to the vision threads besides those they work on: none waits for a file to be read. */
const AHEAD = 1;
/** A line of progress so often, in milliseconds. */
const EVERY = 5_000;

/**
 * `kaomon accuracy`: error rates of packs, from pictures of one's own.
 * @param words the command line after the command
 * @returns the exit status
 */
export function main(words: string[]): Promise<number> {
  return runCommand(async () => {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        strangers: { type: 'string', multiple: true, default: [] },
        pack: { type: 'string', multiple: true, default: [] },
        except: { type: 'string', multiple: true, default: [] },
        face: { type: 'string', default: 'largest' },
        quick: { type: 'boolean', default: false },
        'no-cache': { type: 'boolean', default: false },
        summary: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        curve: { type: 'boolean', default: false },
        svg: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    if (positionals.length === 0) throw new KaomonError('SETUP', `Name a folder of people.\n${USAGE}`);
    const which = checkFace(values.face);
    const config = loadConfig();
    const list = await listSamples({
      ...{ people: positionals, strangers: values.strangers, except: values.except },
    });
    list.notes.forEach(note);
    const reports: PackReport[] = [];
    for (const id of values.pack.length > 0 ? values.pack : [config.MODEL_PACK]) {
      const options = {
        which,
        cache: !values['no-cache'],
        conditions: !values.quick && !values.curve && !values.summary,
      };
      reports.push(await measure(id, list, { config, source: describeSource(list, words), ...options }));
    }
    if (values.svg !== undefined) await writePlots(values.svg, reports);
    if (values.curve) {
      const curves = reports.map(({ pack, curve }) => [pack, curve]);
      console.log(JSON.stringify(Object.fromEntries(curves), null, 2));
    } else if (values.json) {
      console.log(JSON.stringify({ version: VERSION, notes: list.notes, packs: reports }, null, 2));
    } else {
      const whole = values.summary ? [] : reports.map((report) => reportPack(report, which));
      const summary = reports.length > 1 || values.summary ? [compareReports(reports)] : [];
      console.log([...summary, ...whole].join('\n\n'));
    }
    return 0;
  });
}

function checkFace(face: string): WhichFace {
  if (face === 'largest' || face === 'centre') return face;
  throw new KaomonError('SETUP', `--face ${face}: largest or centre.`);
}

interface MeasureOptions {
  config: Config;
  source: string;
  which: WhichFace;
  cache: boolean;
  conditions: boolean;
}

async function measure(id: string, { samples }: SampleList, options: MeasureOptions): Promise<PackReport> {
  const { config, source, which, conditions } = options;
  const pack = await openPack(id, config);
  const { MIN_FACE_SIZE, MAX_PIXELS } = config;
  const cache = options.cache
    ? openLookCache(
        path.join(config.CACHE_DIR, 'accuracy'),
        await packPrint(pack, { VERSION, MIN_FACE_SIZE, MAX_PIXELS }),
        note,
      )
    : NO_CACHE;
  const vision = await openVision(pack, config);
  try {
    return await measurePack(samples, {
      ...{ pack, config, source, conditions },
      looks: { vision, cache, which, atOnce: config.VISION_THREADS + AHEAD },
      onProgress: createTicker(pack.id),
    });
  } finally {
    // ONNX Runtime aborts the process when it ends in mid-run.
    await vision.close();
  }
}

function createTicker(pack: string): (what: string, done: number, of: number) => void {
  let last = performance.now();
  return (what, done, of) => {
    if (performance.now() - last < EVERY) return;
    last = performance.now();
    note(`${pack}: ${done} of ${of} ${what}`);
  };
}

/** What a curve says of where it comes from; a manifest takes 500 signs. */
function describeSource({ samples }: SampleList, words: readonly string[]): string {
  const people = new Set(samples.filter(({ isPerson }) => isPerson).map(({ label }) => label)).size;
  const strangers = new Set(samples.filter(({ isPerson }) => !isPerson).map(({ unit }) => unit)).size;
  const command = [
    'npm run accuracy --',
    ...words.filter((word) => !/^--(curve|json|quick|summary)$/.test(word)),
  ].join(' ');
  return `${samples.length} pictures of ${people} people and ${strangers} strangers: ${command}`.slice(
    0,
    500,
  );
}

async function writePlots(folder: string, reports: readonly PackReport[]): Promise<void> {
  try {
    await makeFolder(folder);
    for (const [name, svg] of drawReports(reports)) await writeFile(path.join(folder, name), svg);
  } catch (cause) {
    throw new KaomonError('SETUP', `The plots cannot be written into ${folder}.`, { cause });
  }
}
