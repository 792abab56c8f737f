import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../settings/config.js';
import { KaomonError } from '../platform/errors.js';
import type { FillableStore } from '../gallery/announce.js';
import { isSameEmbedding, toEmbedding } from '../gallery/embedding.js';
import { parseFaceId } from '../gallery/face-name.js';
import { splitFaceId } from '../gallery/ids.js';
import { decodeNpy, NpyError } from '../gallery/store/npy.js';
import { openStore } from '../gallery/open.js';
import { EMBEDDERS, PACKS } from '../models/packs/packs.js';
import type { Taken } from '../gallery/archive/import.js';
import { unlessMissing } from '../platform/files/durable.js';
import { importArchive } from './shared/archive.js';
import { abortable, describeReach, note, openAuditedStore, runCommand } from './shared/parts.js';

const USAGE = `Usage: npm run import -- DIR [--pack ID] [--dry-run]
       npm run import -- FILE.zip
  DIR   maiface's embeddings folder: DIR/<groupid>-<userid>/*.npy
  ID    the pack whose embedder made the embeddings (default: facenet, the network that maiface uses)
Imports the embeddings, creates their groups, and says what it left out and why. The folder is only read; what was
imported before is not imported twice. A server that is running with this pack sees them without a restart (but not with
EVENT_LOG=none): run it with the server's settings. Exit status: 0 all were imported, 2 some were left out, 1 it
could not run.
  FILE.zip   an archive of \`kaomon export\`, the page /people or GET /api/v1/export. All of it is checked before anything
             changes; it goes into the gallery of the pack that made its vectors. What is there already is passed over:
             run it again after it was stopped.`;

/** What became of a folder of embeddings. */
export interface ImportReport {
  people: number;
  /** Faces imported now. */
  taken: number;
  /** Faces that were in the gallery already. */
  present: number;
  groups: string[];
  leftOut: { file: string; reason: string }[];
}

/**
 * Imports folders of `.npy` files, one folder per person. Running it again imports what is new.
 * @param source `<source>/<groupid>-<userid>/*.npy`; only read
 * @param length numbers in an embedding of the store's pack
 * @param dryRun reports, but writes nothing
 * @throws KaomonError SETUP when the folder cannot be read
 */
export async function importFolders(
  source: string,
  store: Omit<FillableStore, 'load' | 'close'>,
  { length, dryRun = false }: { length: number; dryRun?: boolean },
): Promise<ImportReport> {
  const report: ImportReport = { people: 0, taken: 0, present: 0, groups: [], leftOut: [] };
  const leaveOut = (file: string, reason: string) => report.leftOut.push({ file, reason });
  const known = new Set((await store.readGroups()).map(({ groupid }) => groupid));
  const entries = await readdir(source, { withFileTypes: true }).catch((cause: unknown) => {
    throw new KaomonError('SETUP', `The folder ${source} cannot be read.`, { cause });
  });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const { name: faceid } = entry;
    const ids = splitFaceId(faceid);
    if (!entry.isDirectory()) leaveOut(faceid, 'it is not a folder');
    else if (!ids) leaveOut(faceid, 'its name is not <groupid>-<userid> in letters, digits, "_" and "."');
    if (!entry.isDirectory() || !ids) continue;
    const faces = (await store.readPerson(faceid, new Set()))?.faces ?? [];
    const here = new Set(faces.map(({ id }) => id));
    const vectors = faces.flatMap(({ vector }) => vector ?? []);
    let found = 0;
    for (const name of (await readdir(path.join(source, faceid))).sort()) {
      const file = path.join(faceid, name);
      const face = await readFace(path.join(source, file), faceid, length);
      if (typeof face === 'string') {
        leaveOut(file, face);
        continue;
      }
      found += 1;
      // The same embedding may be there under another ID: a copy, or a file with another modification time.
      if (here.has(face.id) || vectors.some((vector) => isSameEmbedding(vector, face.vector))) {
        report.present += 1;
        continue;
      }
      here.add(face.id);
      vectors.push(face.vector);
      report.taken += 1;
      if (!known.has(ids.groupid)) {
        known.add(ids.groupid);
        report.groups.push(ids.groupid);
        if (!dryRun) await store.createGroup({ groupid: ids.groupid, groupname: ids.groupid });
      }
      const { vector, ...described } = face;
      if (!dryRun)
        await store.addFace({ ...described, faceid, automatic: false, hasPicture: false }, vector, {});
    }
    if (found > 0) report.people += 1;
  }
  return report;
}

/** Reads a face, and derives its ID from its content, so that a second run recognises it. @returns or why it cannot be */
async function readFace(
  file: string,
  faceid: string,
  length: number,
): Promise<{ id: string; enrolledAt: string; vector: Float32Array } | string> {
  if (!file.endsWith('.npy')) return 'it is not a .npy file';
  let given: Float32Array;
  let vector: Float32Array;
  try {
    given = decodeNpy(await readFile(file));
    vector = toEmbedding(given, length);
  } catch (error) {
    if (error instanceof NpyError || error instanceof RangeError) return error.message;
    throw error;
  }
  const at = (await stat(file)).mtime.toISOString();
  const digits = at.replace(/\D/g, '');
  const hash = createHash('sha256').update(new Uint8Array(given.buffer)).digest('hex').slice(0, 10);
  const id = `${faceid}_${digits.slice(0, 8)}_${digits.slice(8, 14)}_m${hash}`;
  if (!parseFaceId(faceid, id)) return `its modification time (${at}) is not valid`;
  return { id, enrolledAt: `${at.slice(0, 19)}Z`, vector };
}

/**
 * `npm run import`: imports maiface's embeddings.
 * @param words the command line after the command
 * @returns the exit status: 0 all were imported, 2 some were left out, 1 it could not run
 */
export function main(words: string[]): Promise<number> {
  return runCommand(async () => {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        pack: { type: 'string', default: 'facenet' },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    if (positionals.length !== 1) throw new KaomonError('SETUP', `Name one folder.\n${USAGE}`);
    const [source] = positionals;
    if (await isFile(source)) {
      if (values['dry-run']) throw new KaomonError('SETUP', 'There is no --dry-run for an archive.');
      return await importZip(path.resolve(source));
    }
    // The pack need not be installed: its gallery waits for it.
    const pack = PACKS.find(({ id }) => id === values.pack);
    if (!pack) {
      const known = PACKS.map(({ id }) => id).join(', ');
      throw new KaomonError(
        'SETUP',
        `Embeddings can be imported for the packs ${known}, not for "${values.pack}".`,
      );
    }
    const { length } = EMBEDDERS[pack.embedder].input;
    const config = loadConfig();
    if (config.CONSENT === 'required')
      throw new KaomonError(
        'SETUP',
        'CONSENT=required, and maiface’s folders hold no consents: import an archive, or set CONSENT=optional for this once.',
      );
    const dryRun = values['dry-run'];
    const store = dryRun
      ? await openStore(config, pack.id, length, note)
      : await openAuditedStore(config, { pack: pack.id, length, warn: note });
    try {
      // Creates the gallery if no server has yet, and finishes what a crash interrupted.
      if (!dryRun) await store.load();
      const report = await importFolders(path.resolve(source), store, { length, dryRun });
      for (const { file, reason } of report.leftOut) console.log(`left out: ${file}: ${reason}`);
      if (report.groups.length > 0)
        console.log(`${dryRun ? 'Groups to create' : 'Groups created'}: ${report.groups.join(', ')}.`);
      console.log(
        `${report.people} people; ${report.taken} faces ${dryRun ? 'to import' : 'imported'}, ${report.present} were already there, ${report.leftOut.length} left out.`,
      );
      if (report.taken > 0 && !dryRun) console.log(describeReach(pack.id, config));
      return report.leftOut.length > 0 ? 2 : 0;
    } finally {
      await store.close();
    }
  });
}

async function isFile(place: string): Promise<boolean> {
  return (await unlessMissing(stat(place)))?.isFile() ?? false;
}

/** @returns the exit status; 130 when a signal stopped it */
function importZip(file: string): Promise<number> {
  return abortable(async (signal) => {
    try {
      const { groups, people, faces, corrections } = await importArchive(file, loadConfig(), signal);
      const count = ({ added, skipped }: Taken) => `${added} imported, ${skipped} were already there`;
      const { added, skipped } = corrections;
      const said = added + skipped > 0 ? `; corrections: ${count(corrections)}` : '';
      console.log(`groups: ${count(groups)}; people: ${count(people)}; faces: ${count(faces)}${said}.`);
      return 0;
    } catch (error) {
      if (!signal.aborted) throw error;
      console.error('Stopped: run it again to go on.');
      return 130;
    }
  });
}
