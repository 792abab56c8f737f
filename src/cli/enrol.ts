import { availableParallelism } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Audit, COMMAND_LINE } from '../access/audit.js';
import { runBatch } from '../batch/batch.js';
import { openJournal } from '../batch/journal.js';
import { type BatchList, listPictures } from '../batch/list.js';
import { createProgress } from '../batch/progress.js';
import { describeLine, reportOf, writeReport } from '../batch/report.js';
import { type Config, enrolLimits, loadConfig } from '../settings/config.js';
import { KaomonError } from '../platform/errors.js';
import { createExactIndex } from '../gallery/index/exact-index.js';
import { openGallery } from '../gallery/open.js';
import { checkGroupId } from '../gallery/ids.js';
import type { Gallery } from '../gallery/types.js';
import type { ReadyPack } from '../models/types.js';
import { createDecision } from '../identity/decision.js';
import { openAudit, openPack, openVision, runCommand } from './shared/parts.js';

const USAGE = `Usage: kaomon enrol DIR|CSV [options]     (npm run enrol -- DIR|CSV [options])

  DIR   a folder per person: DIR/<userid>/*.jpg, or DIR/<groupid>/<userid>/*.jpg
  CSV   a file with the columns userid and file, and optionally groupid and username

  --group ID      the group of people for whom no group is given (default: default)
  --make-groups   create the groups that do not exist yet
  --dry-run       look at every picture and report, but enrol nobody
  --report FILE   write the report there, as CSV or (FILE.json) as JSON
  --again         try pictures again that earlier runs refused
  --encoding NAME the CSV's encoding, where it is not recognised: utf-8, shift_jis, windows-1252, ...
  --force         enrol also faces that are enrolled under another person, or are not like the person's others

If it was interrupted, run it again: it continues where it stopped. Exit status: 0 every picture is enrolled, 2 some were
not used (see the report), 1 it could not run or read no picture, 130 it was stopped.`;

/** Pictures read ahead of each vision thread, so that none waits for the disk. */
const AHEAD = 2;
/** Lines of the report that are printed; --report writes all. */
const MAX_PRINTED = 200;

/**
 * `npm run enrol`: enrols the pictures in a folder, or those that a CSV lists.
 * @param words the command line after the command
 * @returns the exit status
 */
export function main(words: string[]): Promise<number> {
  return runCommand(async () => {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        group: { type: 'string', default: 'default' },
        'make-groups': { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        report: { type: 'string' },
        again: { type: 'boolean', default: false },
        encoding: { type: 'string' },
        force: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const [source] = positionals;
    if (positionals.length !== 1) {
      throw new KaomonError('SETUP', `Name one folder or CSV file.\n${USAGE}`);
    }
    checkGroupId(values.group);
    return await enrolFrom(path.resolve(source), {
      group: values.group,
      makeGroups: values['make-groups'],
      dryRun: values['dry-run'],
      again: values.again,
      force: values.force,
      encoding: values.encoding,
      report: values.report,
    });
  });
}

interface EnrolOptions {
  group: string;
  makeGroups: boolean;
  dryRun: boolean;
  again: boolean;
  force: boolean;
  encoding: string | undefined;
  report: string | undefined;
}

async function enrolFrom(source: string, options: EnrolOptions): Promise<number> {
  const config = loadConfig();
  const list = await listPictures(source, options.group, options.encoding);
  if (list.encoding !== undefined) console.error(`The list is read as ${list.encoding}.`);
  console.error(
    `${list.items.length} pictures${list.otherFiles > 0 ? `, ${list.otherFiles} other files` : ''}.`,
  );
  if (list.items.length + list.refused.length === 0) {
    throw new KaomonError(
      'SETUP',
      `There is no picture in ${source}: nothing was read (docs/batch.md says which files are).`,
    );
  }
  const pack = await openPack(config.MODEL_PACK, config, {
    fetches: true,
    tell: ({ kind, message }) => kind === 'note' && console.error(message),
  });
  const gallery = await openGalleryToFill(config, pack);
  const audit = openAudit(config);
  try {
    await requireGroups(list, gallery, audit, options);
    return await enrolAll(source, list, { config, pack, gallery, audit, options });
  } finally {
    await audit.flush();
    await gallery.close();
  }
}

interface Opened {
  config: Config;
  pack: ReadyPack;
  gallery: Gallery;
  audit: Audit;
  options: EnrolOptions;
}

async function enrolAll(source: string, list: BatchList, opened: Opened): Promise<number> {
  const { config, pack, gallery, audit, options } = opened;
  const threads = availableParallelism();
  // One vision thread per core.
  const vision = await openVision(pack, config, { poolThreads: threads, queueLength: threads * AHEAD });
  const stop = stopOnSignal();
  const { MIN_FACE_SIZE, MAX_PIXELS, EMBEDDINGS_DIR, KEEP_FACES } = config;
  const limits = enrolLimits(config);
  const key = [source, EMBEDDINGS_DIR, pack.id, MIN_FACE_SIZE, MAX_PIXELS, ...Object.values(limits)];
  const journal = options.dryRun ? undefined : await openJournal(path.join(config.CACHE_DIR, 'batch'), key);
  const progress = createProgress(list.items.length, process.stderr);
  const started = performance.now();
  try {
    const results = await runBatch(list.items, {
      vision,
      gallery,
      audit,
      limits,
      keepFaces: KEEP_FACES,
      needsConsent: config.CONSENT === 'required',
      maxPixels: MAX_PIXELS,
      inFlight: threads * AHEAD,
      dryRun: options.dryRun,
      again: options.again,
      // Who runs this command may see everybody: whoever has a face already stands in its way.
      decision: createDecision({ pack, config, gallery }),
      force: options.force,
      journal,
      onResult: ({ outcome }) => progress.step(outcome !== 'refused'),
      stopped: stop.asked,
    });
    progress.end();
    const seconds = (performance.now() - started) / 1000;
    const lines = reportOf(results, list.refused);
    if (options.report !== undefined) await writeReport(path.resolve(options.report), lines);
    for (const line of lines.slice(0, MAX_PRINTED)) console.log(describeLine(line));
    if (lines.length > MAX_PRINTED)
      console.log(`... and ${lines.length - MAX_PRINTED} more: --report FILE writes all of them.`);
    const count = (outcome: string) => results.filter((result) => result.outcome === outcome).length;
    const unused = count('refused') + list.refused.length;
    console.log(
      `${options.dryRun ? 'Would enrol' : 'Enrolled'} ${count('enrolled')}, enrolled before ${count('known')}, ` +
        `not used ${unused}; ${(results.length / seconds).toFixed(1)} pictures/s on ${threads} threads.`,
    );
    if (stop.asked()) {
      console.log(`Stopped: ${list.items.length - results.length} pictures are left. Run it again to go on.`);
      return 130;
    }
    if (list.items.length === 0) return 1;
    return unused > 0 ? 2 : 0;
  } finally {
    progress.end();
    journal?.close();
    stop.end();
    // ONNX Runtime aborts the process if it exits while a network is running.
    await vision.close();
  }
}

/** Refuses unknown groups unless --make-groups is given: a folder that is taken for a group may be a person's. */
async function requireGroups(
  list: BatchList,
  gallery: Gallery,
  audit: Audit,
  options: EnrolOptions,
): Promise<void> {
  const known = new Set(gallery.groups().map(({ groupid }) => groupid));
  const missing = [...new Set(list.items.map(({ groupid }) => groupid))].filter((id) => !known.has(id));
  if (missing.length === 0) return;
  if (!options.makeGroups) {
    throw new KaomonError(
      'SETUP',
      `These groups do not exist: ${missing.slice(0, 10).join(', ')}${missing.length > 10 ? ', ...' : ''}. ` +
        'If they are groups and not people, run it again with --make-groups.',
    );
  }
  if (options.dryRun) return;
  for (const groupid of missing) {
    await gallery.createGroup({ groupid, groupname: groupid });
    void audit.record({ ...COMMAND_LINE, action: 'enrol', whom: { groupid }, outcome: 'done' });
  }
}

/** Running workers learn of each enrolment through the event log. */
async function openGalleryToFill(config: Config, pack: ReadyPack): Promise<Gallery> {
  const warn = (message: string) => console.error(message);
  // It is searched once per picture, for the other-person check: the exact index needs no addon and no training.
  const index = createExactIndex(pack.embedder.length);
  return (await openGallery(config, { pack, index, warn, follow: false })).gallery;
}

/** The first signal lets the pictures in progress finish; a second one ends the process at once. */
function stopOnSignal() {
  let asked = false;
  const ask = () => {
    asked = true;
    console.error('\nStopping after the pictures in progress.');
  };
  process.once('SIGINT', ask);
  process.once('SIGTERM', ask);
  return {
    asked: () => asked,
    end() {
      process.off('SIGINT', ask);
      process.off('SIGTERM', ask);
    },
  };
}
