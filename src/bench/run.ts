import { writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import path from 'node:path';
import type { Config } from '../settings/config.js';
import { makeFolder } from '../platform/files/durable.js';
import { VERSION } from '../platform/version.js';
import type { BenchContext, Effort } from './effort.js';
import { benchCheckup } from './check-up.js';
import { benchEvents } from './events.js';
import { benchFleet } from './fleet.js';
import { type Frame, loadFrames } from './frames.js';
import { benchHttp } from './http.js';
import { benchPack, type BenchPack } from './pack.js';
import { type Report, type Row, toMarkdown } from './report.js';
import { benchSoak } from './soak.js';
import { benchScale } from './scale.js';
import { benchSearch } from './search.js';
import { benchFaceApi, benchStages } from './stages.js';
import { benchStart } from './start.js';
import { benchStream } from './stream.js';

interface Pictures {
  readonly pack: BenchPack;
  readonly frames: readonly Frame[];
}
type Section = (context: BenchContext, pictures: () => Promise<Pictures>) => Promise<void>;

const withPictures =
  (bench: (pack: BenchPack, frames: readonly Frame[], context: BenchContext) => Promise<void>): Section =>
  async (context, pictures) => {
    const { pack, frames } = await pictures();
    await bench(pack, frames, context);
  };

/** In the order in which they are measured. */
const SECTIONS: Readonly<Record<string, Section>> = {
  stages: withPictures(async ({ pack }, frames, context) => {
    await benchStages(pack, frames, context);
    await benchFaceApi(frames, context);
  }),
  http: withPictures(benchHttp),
  stream: withPictures(benchStream),
  events: withPictures(({ env }, _frames, context) => benchEvents(env, context)),
  start: withPictures(benchStart),
  search: benchSearch,
  scale: withPictures(benchScale),
  'check-up': withPictures(benchCheckup),
  soak: withPictures(benchSoak),
  fleet: withPictures(benchFleet),
};
export const SECTION_NAMES: readonly string[] = Object.keys(SECTIONS);
/** The sections of a run that names none: those that take a quarter of an hour are not among them. */
export const USUAL_SECTIONS: readonly string[] = SECTION_NAMES.filter(
  (name) => !['soak', 'scale', 'check-up', 'fleet'].includes(name),
);

export interface BenchOptions {
  readonly config: Pick<Config, 'MODELS_DIR'>;
  readonly effort: Effort;
  /** Names of {@link SECTION_NAMES}. */
  readonly sections: readonly string[];
  /** undefined: facenet, or the nearest to it that can be had. */
  readonly pack?: string | undefined;
  /** Folder for `<time>.json`, `<time>.md` and the files that the sections make. */
  readonly folder: string;
  readonly command: string;
  /** Gets lines of progress. */
  readonly say: (line: string) => void;
}

/** Measures, and saves the report. A section that fails is noted, and the others go on. */
export async function runBench(
  options: BenchOptions,
): Promise<{ report: Report; files: { json: string; markdown: string } }> {
  const { effort, sections, folder, command, say } = options;
  await makeFolder(folder);
  const at = new Date().toISOString();
  const loadBefore = loadavg()[0];
  const rows: Row[] = [];
  const notes: string[] = [];
  const context: BenchContext = {
    effort,
    folder,
    add: (row) => rows.push(row),
    note: (note) => {
      if (!notes.includes(note)) notes.push(note);
    },
  };
  let prepared: Promise<Pictures> | undefined;
  const pictures = () => (prepared ??= preparePictures(options, context));
  for (const name of sections) {
    const begun = performance.now();
    say(`${name} …`);
    try {
      await SECTIONS[name](context, pictures);
    } catch (error) {
      context.note(`${name}: failed: ${error instanceof Error ? error.message : String(error)}`);
    }
    say(`${name}: ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  }
  const [{ model }] = cpus();
  const report: Report = {
    format: 'kaomon-bench',
    version: VERSION,
    at,
    machine: {
      cpu: model.trim(),
      cores: cpus().length,
      memoryGb: Math.round(totalmem() / 2 ** 30),
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
      load: [loadBefore, loadavg()[0]],
    },
    command,
    notes,
    rows,
  };
  const stem = path.join(folder, at.replaceAll(':', '-').slice(0, 19));
  const files = { json: `${stem}.json`, markdown: `${stem}.md` };
  await writeFile(files.json, `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(files.markdown, toMarkdown(report));
  return { report, files };
}

/** Loads the pack and the frames once, if a section needs them: searching does not. */
async function preparePictures(
  { config, pack }: Pick<BenchOptions, 'config' | 'pack'>,
  context: BenchContext,
): Promise<Pictures> {
  const { frames, source } = await loadFrames();
  context.note(source);
  return { pack: await benchPack(config, context, pack), frames };
}
