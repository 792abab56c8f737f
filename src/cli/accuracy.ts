import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { NO_CACHE, openAnalysisCache, packPrint } from '../accuracy/analysis-cache.js';
import type { WhichFace } from '../accuracy/analyses.js';
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
  PEOPLE       a folder with one folder per person, each with two or more pictures
  --strangers  a folder of people who are not in PEOPLE: one folder each, or pictures of anybody
  --pack       a pack to measure, once or several times (default: the setting MODEL_PACK)
  --except     leave out pictures and folders whose path ends with this
  --face       which face counts in a picture of several: the largest one (as in the server), or the one nearest to the
               centre
  --quick      leave out the degraded pictures (shrunk, blurred)
  --no-cache   do not use the results stored in CACHE_DIR, and store none there
  --summary    print one line per pack
  --json       print everything, for programs
  --curve      print only the packs' curves: what goes into a manifest as "curve"
  --svg        draw DET curves into this folder
Measures error rates on pictures of known people: verification (1:1), identification (1:N), and both from farther away.
Nothing is enrolled.`;

/** Pictures read ahead for the vision threads, so that none waits for a file. */
const AHEAD = 1;
/** Between two lines of progress, milliseconds. */
const EVERY = 5_000;

/**
 * `kaomon accuracy`: measures the error rates of packs on one's own pictures.
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
      people: positionals,
      strangers: values.strangers,
      except: values.except,
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
  throw new KaomonError('SETUP', `--face must be largest or centre, not "${face}".`);
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
    ? openAnalysisCache(
        path.join(config.CACHE_DIR, 'accuracy'),
        await packPrint(pack, { VERSION, MIN_FACE_SIZE, MAX_PIXELS }),
        note,
      )
    : NO_CACHE;
  const vision = await openVision(pack, config);
  try {
    return await measurePack(samples, {
      pack,
      config,
      source,
      conditions,
      analysis: { vision, cache, which, atOnce: config.VISION_THREADS + AHEAD },
      onProgress: createTicker(pack.id),
    });
  } finally {
    // ONNX Runtime aborts the process if it exits while a network is running.
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

/** A curve's `source`: what it was measured on. A manifest allows 500 characters. */
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
