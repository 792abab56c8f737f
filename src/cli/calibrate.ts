import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.js';
import { KaomonError } from '../errors.js';
import {
  costOf,
  type LabelledFace,
  pairDistances,
  type PairDistances,
  probe,
  proposeThresholds,
} from '../recognition/calibration.js';
import { createDecision } from '../recognition/decision.js';
import type { VisionPool } from '../vision/types.js';
import { inParallel, note, openPack, openVision, picturesBelow, runCommand } from './parts.js';

const USAGE = `Usage: kaomon calibrate PEOPLE.. [--strangers DIR].. [--pack ID] [--json]
  PEOPLE     a folder with one folder a person, two or more pictures in each
  DIR        a folder with pictures, or with folders of pictures, of people who are not in PEOPLE
  ID         the pack to calibrate; left out, the setting MODEL_PACK
Measures how far apart pictures of one person and of different people lie, and what each threshold would cost.`;

const STEP = 0.02;

interface Found {
  faces: LabelledFace[];
  strangers: Float32Array[];
  pictures: number;
  faceless: string[];
}

/**
 * `kaomon calibrate`: thresholds of a pack from pictures of one's own.
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
        pack: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    if (positionals.length === 0) throw new KaomonError('SETUP', `Name a folder of people.\n${USAGE}`);
    const config = loadConfig();
    const pack = await openPack(values.pack ?? config.MODEL_PACK, config);
    const vision = await openVision(pack, config);
    let found: Found;
    try {
      found = await embedAll(vision, positionals, values.strangers, config.VISION_THREADS);
    } finally {
      await vision.close();
    }
    const pairs = pairDistances(found.faces, found.strangers);
    if (pairs.genuine.length === 0) {
      throw new KaomonError('SETUP', 'Nobody has two pictures with a face: there is nothing to compare.');
    }
    // What this server would take with these people enrolled.
    const people = new Set(found.faces.map(({ person }) => person)).size;
    const identical = createDecision({ pack, config, gallery: { searched: () => people } }).threshold();
    if (values.json) {
      console.log(JSON.stringify(summarise(found, pairs, identical), null, 2));
      return 0;
    }
    console.log(`${pack.id}: ${pack.title}`);
    console.log(report(found, pairs, identical));
    return 0;
  });
}

/** Largest face of every picture. A picture without one is told and left out. */
async function embedAll(
  vision: VisionPool,
  peopleFolders: readonly string[],
  strangerFolders: readonly string[],
  atOnce: number,
): Promise<Found> {
  const tasks: { file: string; person: string | undefined; embedding?: Float32Array }[] = [];
  for (const folder of peopleFolders) {
    for (const person of await foldersIn(folder)) {
      for (const file of await picturesBelow(path.join(folder, person))) {
        tasks.push({ file, person: path.join(folder, person) });
      }
    }
  }
  for (const folder of strangerFolders) {
    for (const file of await picturesBelow(folder)) tasks.push({ file, person: undefined });
  }
  const faceless: string[] = [];
  let done = 0;
  await inParallel(tasks, atOnce, async (task) => {
    const { faces } = await vision.analyze(await readFile(task.file), { maxFaces: 1 });
    const embedding = faces.at(0)?.embedding;
    if (embedding) task.embedding = embedding;
    else faceless.push(task.file);
    done += 1;
    if (done % 25 === 0) note(`${done} of ${tasks.length} pictures`);
  });
  const faces: LabelledFace[] = [];
  const strangers: Float32Array[] = [];
  for (const { person, embedding } of tasks) {
    if (!embedding) continue;
    if (person === undefined) strangers.push(embedding);
    else faces.push({ person, embedding });
  }
  return { faces, strangers, pictures: tasks.length, faceless: faceless.sort() };
}

function summarise(found: Found, pairs: PairDistances, identical: number) {
  const proposal = proposeThresholds(pairs);
  const most = Math.min(4, Math.max(2 * proposal.identical, identical) + STEP);
  const rows = Array.from({ length: Math.ceil(most / STEP) }, (_, i) => costOf((i + 1) * STEP, pairs));
  return {
    pictures: found.pictures,
    faceless: found.faceless.length,
    people: new Set(found.faces.map(({ person }) => person)).size,
    pairs: { genuine: pairs.genuine.length, impostor: pairs.impostor.length },
    nearestImpostors: [...pairs.impostor.subarray(0, 5)],
    genuineQuantiles: [0.5, 0.9, 0.95, 0.99].map((part) => ({
      part,
      distance: pairs.genuine[Math.floor(part * (pairs.genuine.length - 1))],
    })),
    rows,
    proposal,
    atProposal: probe(found.faces, found.strangers, proposal.identical),
    atPack: { identical, ...probe(found.faces, found.strangers, identical) },
  };
}

function report(found: Found, pairs: PairDistances, identical: number): string {
  const summary = summarise(found, pairs, identical);
  const percent = (part: number, digits = 1) => `${(part * 100).toFixed(digits)} %`;
  const numbers = (values: readonly number[]) => values.map((value) => value.toFixed(3)).join(' ');
  const figures = (title: string, threshold: number, of: typeof summary.atProposal) =>
    `${title} ${threshold.toFixed(3)}, first picture enrolled: of ${of.probes} others ${of.rightNearest} have the right ` +
    `person nearest, ${of.named} are named rightly, ${of.misnamed} wrongly; of ${of.strangers} strangers ${of.strangersNamed} are named.`;
  return [
    `${summary.pictures} pictures, ${summary.faceless} without a face; ${summary.people} people, ${pairs.genuine.length} genuine and ${pairs.impostor.length} impostor pairs.`,
    ...found.faceless.map((file) => `  no face: ${file}`),
    `Genuine distances: ${summary.genuineQuantiles.map(({ part, distance }) => `${percent(part, 0)} under ${distance.toFixed(3)}`).join(', ')}.`,
    `Nearest impostors: ${numbers(summary.nearestImpostors)}.`,
    '',
    'threshold   missed  confused',
    ...summary.rows.map(
      ({ threshold, missed, confused, confusedPairs }) =>
        `${threshold.toFixed(2).padStart(9)}${percent(missed).padStart(9)}${percent(confused, 3).padStart(10)}  (${confusedPairs})`,
    ),
    '',
    `Proposed: identical ${summary.proposal.identical.toFixed(3)} (confuses one impostor pair in 1,000), sure ${summary.proposal.sure.toFixed(3)} (a fifth below the nearest).`,
    figures('Proposed', summary.proposal.identical, summary.atProposal),
    figures('In force', identical, summary.atPack),
  ].join('\n');
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new KaomonError('SETUP', `The folder ${folder} cannot be read.`, { cause });
  });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}
