/** Lists the pictures to measure on, and whose they are. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { KaomonError } from '../platform/errors.js';
import { READABLE_NAME } from '../vision/picture-names.js';

/** Deep enough for anybody's folders; it ends the loop of a link that leads back. */
const MAX_DEPTH = 12;

/** One picture. ISO/IEC 19795-1 calls it a sample. */
export interface Sample {
  /** Its path, which starts with the folder that was given. */
  file: string;
  /** Whose it is: samples with the same label are of one person, or at least may be. */
  label: string;
  /** The unit that the bootstrap draws as a whole: a person, or a single picture of a stranger. */
  unit: string;
  /** Whether it is of somebody in PEOPLE; else it is of a stranger, who is never searched for as an enrolled person. */
  isPerson: boolean;
  /** Of the file's bytes. */
  sha256: string;
}

export interface SampleList {
  /** People's first, then strangers', each sorted by name. */
  samples: Sample[];
  /** What the user should know about the folders, one sentence each. */
  notes: string[];
}

interface SampleFolders {
  people: readonly string[];
  strangers: readonly string[];
  /** Pictures and folders to leave out, by the end of their paths: `Elena_de_Chavez`, `Bob_Hope/Bob_Hope_0002.jpg`. */
  except?: readonly string[];
}

type Listed = Omit<Sample, 'sha256'>;

/**
 * Lists the pictures. In PEOPLE each folder is one person, with everything below it. Among strangers each folder is one
 * person, too; pictures beside those folders may be of anybody, so they are not compared with each other. A picture that is
 * there twice, byte for byte, counts once.
 * @throws KaomonError SETUP when a folder cannot be read, or an exception matches nothing
 */
export async function listSamples({ people, strangers, except = [] }: SampleFolders): Promise<SampleList> {
  const notes: string[] = [];
  const listed: Listed[] = [];
  for (const root of new Set(people)) listed.push(...(await listPeople(root, notes)));
  for (const root of new Set(strangers)) listed.push(...(await listStrangers(root)));
  const kept = leaveOut(listed, except, notes);
  const samples = await withoutDoubles(kept, notes);
  noteLonely(samples, notes);
  return { samples, notes };
}

async function listPeople(root: string, notes: string[]): Promise<Listed[]> {
  const { files, folders } = await entriesOf(root);
  if (files.length > 0) {
    notes.push(`${count(files, 'picture')} directly in ${root} left out: whose they are is not known.`);
  }
  const listed: Listed[] = [];
  for (const folder of folders) {
    const place = path.join(root, folder);
    const found = await picturesBelow(place);
    const below = new Set(found.map((file) => path.relative(place, file).split(path.sep)[0]));
    const isNested = found.length > 0 && found.every((file) => path.dirname(file) !== place);
    if (found.length === 0) notes.push(`${place} has no pictures.`);
    if (isNested && below.size > 1) {
      notes.push(
        `${place} is taken for one person; if its ${below.size} folders are people, give it as PEOPLE.`,
      );
    }
    for (const file of found) listed.push({ file, label: place, unit: place, isPerson: true });
  }
  return listed;
}

async function listStrangers(root: string): Promise<Listed[]> {
  const { files, folders } = await entriesOf(root);
  const listed: Listed[] = [];
  for (const folder of folders) {
    const place = path.join(root, folder);
    for (const file of await picturesBelow(place)) {
      listed.push({ file, label: place, unit: place, isPerson: false });
    }
  }
  for (const name of files) {
    const file = path.join(root, name);
    listed.push({ file, label: root, unit: file, isPerson: false });
  }
  return listed;
}

function leaveOut(listed: readonly Listed[], except: readonly string[], notes: string[]): Listed[] {
  const counts = new Map(except.map((end) => [end, 0]));
  const kept = listed.filter(({ file }) => {
    const fitting = except.filter((end) => fits(file, end));
    for (const end of fitting) counts.set(end, (counts.get(end) ?? 0) + 1);
    return fitting.length === 0;
  });
  for (const [end, left] of counts) {
    if (left === 0) {
      throw new KaomonError('SETUP', `--except ${end}: there is no picture or folder of that name.`);
    }
    notes.push(`Left out by --except ${end}: ${left === 1 ? '1 picture' : `${left} pictures`}.`);
  }
  return kept;
}

/** Whether `end` is the picture, or a folder that it lies in, by whole names. */
function fits(file: string, end: string): boolean {
  const wanted = path.normalize(end).split(path.sep).filter(Boolean).join('/');
  const parts = file.split(path.sep);
  return parts.some((_, i) => `/${parts.slice(0, i + 1).join('/')}`.endsWith(`/${wanted}`));
}

async function withoutDoubles(listed: readonly Listed[], notes: string[]): Promise<Sample[]> {
  const first = new Map<string, Sample>();
  const samples: Sample[] = [];
  for (const one of listed) {
    const sha256 = createHash('sha256')
      .update(await readPicture(one.file))
      .digest('hex');
    const known = first.get(sha256);
    if (known) {
      const whose = known.label === one.label ? '' : ' under another name';
      notes.push(`${one.file} is a copy of ${known.file}${whose}: counted once.`);
      continue;
    }
    const sample = { ...one, sha256 };
    first.set(sha256, sample);
    samples.push(sample);
  }
  return samples;
}

function noteLonely(samples: readonly Sample[], notes: string[]): void {
  const counts = new Map<string, number>();
  for (const { label, isPerson } of samples) {
    if (isPerson) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const lonely = [...counts.values()].filter((pictures) => pictures === 1).length;
  if (lonely === 0) return;
  notes.push(
    `${lonely} of ${counts.size} people have only one picture: they are only compared with other people.`,
  );
}

/** @throws KaomonError SETUP */
async function readPicture(file: string): Promise<Uint8Array> {
  return await readFile(file).catch((cause: unknown) => {
    throw new KaomonError('SETUP', `The picture ${file} cannot be read.`, { cause });
  });
}

/** Follows links, since people's folders may be elsewhere. */
async function entriesOf(folder: string): Promise<{ files: string[]; folders: string[] }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new KaomonError('SETUP', `The folder ${folder} cannot be read.`, { cause });
  });
  const found = { files: [] as string[], folders: [] as string[] };
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const kind = entry.isSymbolicLink()
      ? await stat(path.join(folder, entry.name)).catch(() => entry)
      : entry;
    if (kind.isDirectory()) found.folders.push(entry.name);
    else if (kind.isFile() && READABLE_NAME.test(entry.name)) found.files.push(entry.name);
  }
  return { files: found.files.sort(), folders: found.folders.sort() };
}

async function picturesBelow(folder: string, depth = 0): Promise<string[]> {
  const { files, folders } = await entriesOf(folder);
  const found = files.map((name) => path.join(folder, name));
  if (depth === MAX_DEPTH) return found;
  for (const name of folders) found.push(...(await picturesBelow(path.join(folder, name), depth + 1)));
  return found;
}

const count = (items: readonly unknown[], what: string) =>
  `${items.length} ${what}${items.length === 1 ? '' : 's'}`;
