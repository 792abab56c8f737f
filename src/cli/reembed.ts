import { parseArgs } from 'node:util';
import { loadConfig } from '../config.js';
import { KaomonError } from '../errors.js';
import { createFileStore } from '../gallery/file-store.js';
import { splitFaceId } from '../gallery/ids.js';
import type { EmbeddingStore, ReadPerson } from '../gallery/store.js';
import type { Face } from '../gallery/types.js';
import { EMBEDDERS, PACKS } from '../models/packs.js';
import { readOwnPack } from '../models/own-pack.js';
import type { VisionPool } from '../vision/types.js';
import { inParallel, note, openPack, openVision, runCommand } from './parts.js';

const USAGE = `Usage: npm run reembed -- --from ID [--to ID]
  --from ID   the pack whose gallery has the face pictures (enrolled with KEEP_FACES=true)
  --to ID     the pack to make a gallery for; left out, the setting MODEL_PACK
Looks for the face in each kept picture anew and embeds it. The old gallery stays as it is. It may be stopped and run
again: it goes on where it was. A server that is running sees the new gallery after a restart.`;

/** What became of a gallery. */
export interface ReembedReport {
  /** Faces embedded now. */
  embedded: number;
  /** Faces that an earlier run embedded. */
  present: number;
  /** Faces without a kept picture. */
  pictureless: number;
  /** Kept pictures in which the new pack's detector finds no face: their ids. */
  faceless: string[];
  stopped: boolean;
}

export interface ReembedDeps {
  from: EmbeddingStore;
  to: EmbeddingStore;
  vision: Pick<VisionPool, 'analyze'>;
  /** Pictures looked at at a time. */
  atOnce: number;
  /** Asked before each picture. */
  stopped?: () => boolean;
  onProgress?: (done: number) => void;
}

/**
 * Fills the gallery of a pack from another's kept face pictures. Each face keeps its id, which is how a second run
 * knows what is done. The kept picture was cut for the old pack's embedder; it is a picture like any other to the new
 * pack's detector, which looks for the face in it and cuts it as its own embedder wants it.
 */
export async function reembed({
  from,
  to,
  vision,
  atOnce,
  stopped = () => false,
  onProgress = () => undefined,
}: ReembedDeps): Promise<ReembedReport> {
  const report: ReembedReport = { embedded: 0, present: 0, pictureless: 0, faceless: [], stopped: false };
  let done = 0;

  async function embedFace(face: Face, person: ReadPerson): Promise<void> {
    const picture = await from.picture(face);
    if (!picture) {
      report.pictureless += 1;
      return;
    }
    // The pool takes the buffer over; the picture is kept in the new gallery, too.
    const { faces } = await vision.analyze(Uint8Array.from(picture), { maxFaces: 1 });
    const embedding = faces.at(0)?.embedding;
    if (!embedding) {
      report.faceless.push(face.id);
      return;
    }
    const { username, metadata } = person;
    await to.addFace(face, embedding, { crop: picture, profile: { username, metadata } });
    report.embedded += 1;
  }

  await inParallel(await from.list(), atOnce, async (faceid) => {
    const person = await from.readPerson(faceid, new Set());
    if (!person || !splitFaceId(faceid)) return;
    const present = new Set((await to.readPerson(faceid, new Set()))?.faces.map(({ id }) => id));
    for (const { id, enrolledAt, automatic, hasPicture } of person.faces) {
      report.stopped ||= stopped();
      if (report.stopped) return;
      if (present.has(id)) report.present += 1;
      else await embedFace({ id, faceid, enrolledAt, automatic, hasPicture }, person);
      done += 1;
      onProgress(done);
    }
  });
  report.faceless.sort();
  return report;
}

/**
 * `npm run reembed`: makes a gallery for another pack.
 * @param words the command line after the command
 * @returns the exit status: 0 every face is there, 2 some are not, 130 it was stopped
 */
export function main(words: string[]): Promise<number> {
  return runCommand(async () => {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        from: { type: 'string' },
        to: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const { from: fromId } = values;
    if (fromId === undefined || positionals.length > 0)
      throw new KaomonError('SETUP', `Name --from.\n${USAGE}`);
    const config = loadConfig();
    const pack = await openPack(values.to ?? config.MODEL_PACK, config);
    if (pack.id === fromId) throw new KaomonError('SETUP', `The gallery of ${fromId} is there already.`);
    const folder = config.EMBEDDINGS_DIR;
    const storeOf = (id: string, length: number) => createFileStore({ folder, pack: id, length, warn: note });
    const from = storeOf(fromId, await lengthOf(fromId, config.MODELS_DIR));
    const to = storeOf(pack.id, pack.embedder.length);
    // Opening the new one makes its folders and finishes what a crash left.
    await to.load();
    const vision = await openVision(pack, config);
    let asked = false;
    const stop = () => (asked = true);
    process.once('SIGINT', stop).once('SIGTERM', stop);
    try {
      const report = await reembed({
        ...{ from, to, vision, atOnce: config.VISION_THREADS },
        stopped: () => asked,
        onProgress: (done) => done % 25 === 0 && note(`${done} faces`),
      });
      for (const id of report.faceless) console.log(`no face is found in the picture of ${id}`);
      console.log(
        `${pack.id}: ${report.embedded} faces embedded, ${report.present} were there already, ${report.pictureless} have no kept picture, ${report.faceless.length} no face in it.`,
      );
      if (report.stopped) console.log('Stopped: run it again to go on.');
      return report.stopped ? 130 : report.pictureless + report.faceless.length > 0 ? 2 : 0;
    } finally {
      process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop);
      await vision.close();
      await from.close();
      await to.close();
    }
  });
}

/** Numbers in a vector of a pack that need not be installed. @throws KaomonError SETUP */
async function lengthOf(id: string, modelsDir: string): Promise<number> {
  const ours = PACKS.find((pack) => pack.id === id);
  if (ours) return EMBEDDERS[ours.embedder].input.length;
  const own = /^[a-z0-9][a-z0-9+._-]{0,63}$/.test(id) ? await readOwnPack(id, modelsDir) : undefined;
  if (own) return own.embedder.length;
  throw new KaomonError('SETUP', `There is no model pack "${id}".`);
}
