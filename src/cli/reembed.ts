import { parseArgs } from 'node:util';
import pMap from 'p-map';
import sharp from 'sharp';
import { loadConfig } from '../settings/config.js';
import { KaomonError } from '../platform/errors.js';
import type { FillableStore } from '../gallery/announce.js';
import { splitFaceId } from '../gallery/ids.js';
import { openStore } from '../gallery/open.js';
import { profileOf } from '../gallery/store/profile.js';
import type { EmbeddingStore, Profile, ReadPerson } from '../gallery/store/store.js';
import type { Face } from '../gallery/types.js';
import { EMBEDDERS, PACKS } from '../models/packs/packs.js';
import { readOwnPack } from '../models/packs/own-pack.js';
import type { ReadyEmbedder } from '../models/types.js';
import type { KeptCut, VisionPool } from '../vision/types.js';
import { describeReach, note, openAuditedStore, openPack, openVision, runCommand } from './shared/parts.js';

const USAGE = `Usage: npm run reembed -- --from ID [--to ID]
  --from ID   the pack whose gallery has face pictures (enrolled with KEEP_FACES=true)
  --to ID     the pack to make a gallery for (default: the setting MODEL_PACK)
Detects the face in each kept picture again and embeds it; where none is detected, the picture is embedded as it is. The
old gallery stays as it is. People without a kept picture are listed in the new gallery without a face: enrol them again.
If it was stopped, run it again: it continues where it was. A server that is running with the pack --to sees each face
without a restart (but not with EVENT_LOG=none); one that runs with another pack must be restarted with MODEL_PACK set.
Exit status: 0 every face is there, 2 some are not, 1 it could not run, 130 it was stopped.`;

/** What became of a gallery. */
interface ReembedReport {
  /** Faces embedded now. */
  embedded: number;
  /** Faces that an earlier run embedded. */
  present: number;
  /** Faces without a kept picture. */
  pictureless: number;
  /** Of those embedded, the ones that were not detected again: their pictures were embedded as they were cropped. */
  asCut: number;
  /** IDs of faces whose kept picture cannot be read any more. */
  damaged: string[];
  /** People who are listed in the new gallery without a face: to be enrolled again. */
  toEnrol: string[];
  stopped: boolean;
}

interface ReembedDeps {
  from: Pick<EmbeddingStore, 'list' | 'readPerson' | 'picture'>;
  to: Pick<FillableStore, 'readPerson' | 'keepPerson' | 'addFace'>;
  vision: Pick<VisionPool, 'analyze'>;
  /** How the old pack cropped its pictures. */
  cut: KeptCut;
  /** Undoes the distortion of the old pack's crops (see {@link unstretch}); left out: there is none. */
  restore?: ((picture: Uint8Array) => Promise<Uint8Array>) | undefined;
  /** Pictures analysed at a time. */
  atOnce: number;
  /** Asked before each picture. */
  stopped?: () => boolean;
  onProgress?: (done: number) => void;
}

/**
 * Fills the gallery of a pack from another pack's kept face pictures. Each face keeps its ID, by which a second run knows
 * what is done. A kept picture was cropped for the old pack's embedder; the new pack's detector looks for the face in it
 * again, so that it is aligned for the new embedder. Where it finds none, the face is where the old crop has put it. Nobody
 * is lost: people who end up without a face are listed without one.
 */
export async function reembed({
  from,
  to,
  vision,
  cut,
  restore = (picture) => Promise.resolve(picture),
  atOnce,
  stopped = () => false,
  onProgress = () => undefined,
}: ReembedDeps): Promise<ReembedReport> {
  const report: ReembedReport = {
    embedded: 0,
    present: 0,
    pictureless: 0,
    asCut: 0,
    damaged: [],
    toEnrol: [],
    stopped: false,
  };
  let done = 0;

  /** @returns the picture to keep in the new gallery, and the embedding of the face in it */
  async function embed(kept: Uint8Array): Promise<{ picture: Uint8Array; embedding: Float32Array }> {
    const picture = await restore(kept);
    // The pool takes ownership of its buffer, and the picture is still needed.
    const { faces } = await vision.analyze(Uint8Array.from(picture), { kept: cut, maxFaces: 1, views: true });
    const [{ embedding, probability }] = faces;
    if (!embedding) throw new Error('The vision thread answered a face without its embedding.');
    if (probability === 0) report.asCut += 1;
    return { picture, embedding };
  }

  /** @returns whether the face is in the new gallery now */
  async function embedFace(face: Face, profile: Profile | undefined): Promise<boolean> {
    const kept = await from.picture(face);
    if (!kept) {
      report.pictureless += 1;
      return false;
    }
    const embedded = await embed(kept).catch((error: unknown) => {
      // Only a damaged picture is skipped.
      if (error instanceof KaomonError && error.code.startsWith('IMAGE_')) return undefined;
      throw error;
    });
    if (!embedded) {
      report.damaged.push(face.id);
      return false;
    }
    const { picture, embedding } = embedded;
    await to.addFace(face, embedding, { crop: picture, ...(profile && { profile }) });
    report.embedded += 1;
    return true;
  }

  const embedPerson = async (faceid: string): Promise<void> => {
    const person = await from.readPerson(faceid, new Set());
    if (!person || !splitFaceId(faceid)) return;
    const there = await to.readPerson(faceid, new Set());
    const present = new Set(there?.faces.map(({ id }) => id));
    // A server may be running on the new gallery: a name given there stays.
    const before = profileOf(person);
    let profile = isDescribed(there) ? undefined : before;
    let faces = present.size;
    for (const { id, enrolledAt, automatic, hasPicture } of person.faces) {
      report.stopped ||= stopped();
      if (report.stopped) return;
      if (present.has(id)) report.present += 1;
      else if (await embedFace({ id, faceid, enrolledAt, automatic, hasPicture }, profile)) {
        profile = undefined;
        faces += 1;
      }
      done += 1;
      onProgress(done);
    }
    if (faces > 0) return;
    if (person.faces.length > 0) report.toEnrol.push(faceid);
    await to.keepPerson(faceid, before);
  };
  await pMap(await from.list(), embedPerson, { concurrency: atOnce });
  report.damaged.sort();
  report.toEnrol.sort();
  return report;
}

/**
 * Undoes, nearly, the distortion of a pack that crops MTCNN's boxes and makes them square. In Labeled Faces in the Wild nine
 * boxes of ten are 1.21 to 1.41 times as high as wide, so the picture is made four thirds as high.
 * @throws KaomonError IMAGE_UNREADABLE
 */
export async function unstretch(picture: Uint8Array): Promise<Uint8Array> {
  const image = sharp(picture, { ignoreIcc: true });
  const { width, height } = await image.metadata();
  const size = { width, height: Math.round((height * 4) / 3) };
  return new Uint8Array(
    await image
      .resize({ ...size, fit: 'fill', kernel: 'linear' })
      .png()
      .toBuffer(),
  );
}

function isDescribed(person: ReadPerson | undefined): boolean {
  return (
    person !== undefined &&
    (person.username !== '' || Object.keys(person.metadata).length > 0 || person.consent !== undefined)
  );
}

/**
 * `npm run reembed`: makes a gallery for another pack.
 * @param words the command line after the command
 * @returns the exit status: 0 every face is there, 2 some are not, 1 it could not run, 130 it was stopped
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
    if (pack.id === fromId) {
      const hint = values.to === undefined ? ' Name the new pack with --to.' : '';
      throw new KaomonError('SETUP', `The gallery of ${fromId} exists already.${hint}`);
    }
    const before = await cutOf(fromId, config.MODELS_DIR);
    const from = await openStore(config, fromId, before.length, note);
    const { length } = pack.embedder;
    const to = await openAuditedStore(config, { pack: pack.id, length, warn: note }).catch(
      async (error: unknown) => {
        await from.close();
        throw error;
      },
    );
    let asked = false;
    const stop = () => (asked = true);
    process.once('SIGINT', stop).once('SIGTERM', stop);
    let vision: VisionPool | undefined;
    try {
      // Creates the new gallery's folders, and finishes what a crash interrupted.
      await to.load();
      vision = await openVision(pack, config);
      const report = await reembed({
        from,
        to,
        vision,
        atOnce: config.VISION_THREADS,
        cut: {
          alignment: before.alignment,
          ...(before.padding !== undefined && { padding: before.padding }),
        },
        restore: before.alignment === 'box' && before.detector === 'mtcnn' ? unstretch : undefined,
        stopped: () => asked,
        onProgress: (done) => done % 25 === 0 && note(`${done} faces`),
      });
      for (const id of report.damaged) console.log(`the picture of ${id} cannot be read`);
      for (const faceid of report.toEnrol) console.log(`to be enrolled again: ${faceid}`);
      console.log(
        `${pack.id}: ${report.embedded} faces embedded (${report.asCut} without being detected again), ${report.present} were already there, ${report.pictureless} have no kept picture, ${report.damaged.length} a damaged one; ${report.toEnrol.length} people are listed without a face.`,
      );
      if (report.embedded > 0) {
        console.log(
          `A kept picture is the face as it was cropped for ${fromId}, ${before.size} pixels wide, and its embedding is a little worse than one from the whole picture. Enrol people again as they come by.`,
        );
        console.log(describeReach(pack.id, config));
      }
      if (report.stopped) console.log('Stopped: run it again to go on.');
      return report.stopped
        ? 130
        : report.pictureless + report.damaged.length + report.toEnrol.length > 0
          ? 2
          : 0;
    } finally {
      process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop);
      await vision?.close();
      await from.close();
      await to.close();
    }
  });
}

/** How a pack crops its faces, and the length of its embeddings; it need not be installed. @throws KaomonError SETUP */
async function cutOf(id: string, modelsDir: string) {
  const ours = PACKS.find((pack) => pack.id === id);
  if (ours) {
    const { length, size, ...input }: Omit<ReadyEmbedder, 'name' | 'network'> =
      EMBEDDERS[ours.embedder].input;
    return { length, size, ...input, ...ours.cut, detector: ours.detector };
  }
  const own = /^[a-z0-9][a-z0-9+._-]{0,63}$/.test(id) ? await readOwnPack(id, modelsDir) : undefined;
  if (own) return { ...own.embedder, detector: own.detector };
  throw new KaomonError('SETUP', `There is no model pack "${id}".`);
}
