import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import { KaomonError } from '../platform/errors.js';
import { checkGroupId, checkUserId, deriveId, isId } from '../gallery/ids.js';
import { checkName, normaliseName } from '../gallery/names.js';
import { PICTURE_NAME } from '../vision/picture-names.js';
import { decodeText } from './text.js';

/** One picture of one person. */
export interface BatchItem {
  groupid: string;
  userid: string;
  /** From a CSV's column, or the name of a folder that is not a valid ID. */
  username?: string;
  /** As in the report: relative to the folder, or as in the CSV. */
  name: string;
  /** Absolute. */
  file: string;
}

/** A picture that is refused before it is analysed. */
export interface RefusedItem {
  name: string;
  groupid: string;
  userid: string;
  error: KaomonError;
}

export interface BatchList {
  items: BatchItem[];
  refused: RefusedItem[];
  /** How many files were skipped because their names are not those of pictures. */
  otherFiles: number;
  /** The encoding that a CSV was read in. */
  encoding?: string;
}

/** Possible delimiters of a CSV; its first line decides. */
const DELIMITERS = [',', ';', '\t'] as const;
/** How much of an invalid first line the message shows, characters. */
const SHOWN = 100;
/** The longest name of a person, characters. */
const MAX_NAME = 200;
/** Ends the search in a loop of mounts. */
const MAX_DEPTH = 12;

/**
 * Reads what to enrol: a folder per person (`<userid>/...jpg`, or `<groupid>/<userid>/...`), or a CSV file with the
 * columns `userid` and `file`, and optionally `groupid` and `username`.
 * @param place folder or CSV file
 * @param groupid of people for whom no group is given
 * @param encoding of the CSV. Default: detected, or refused
 * @throws KaomonError SETUP when the place cannot be read or does not say who is who
 */
export async function listPictures(place: string, groupid: string, encoding?: string): Promise<BatchList> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(place)).isDirectory();
  } catch (cause) {
    throw new KaomonError('SETUP', `${place} cannot be read: name a folder or a CSV file.`, { cause });
  }
  const list = isFolder ? await listFolder(place, groupid) : await listCsv(place, groupid, encoding);
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  list.items.sort(byName);
  list.refused.sort(byName);
  return list;
}

async function listFolder(root: string, groupid: string): Promise<BatchList> {
  const pictures: string[][] = [];
  let otherFiles = 0;
  async function walk(parts: string[]): Promise<void> {
    const entries = await readdir(path.join(root, ...parts), { withFileTypes: true });
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const here = [...parts, entry.name];
      if (entry.isDirectory() && here.length < MAX_DEPTH) await walk(here);
      else if (!(await isFile(entry, path.join(root, ...here)))) continue;
      else if (PICTURE_NAME.test(entry.name)) pictures.push(here);
      else otherFiles += 1;
    }
  }
  await walk([]);

  // One layout for the whole folder: guessing for each part could put a face under the wrong person.
  const shallow = pictures.find((parts) => parts.length === 2);
  const deep = pictures.find((parts) => parts.length > 2);
  if (shallow && deep) {
    throw new KaomonError(
      'SETUP',
      `It is not clear who is who in ${root}: ${shallow.join('/')} lies in a folder of its own, ${deep.join('/')} ` +
        'in a folder within a folder. Use <userid>/picture or <groupid>/<userid>/picture throughout, or a CSV file.',
    );
  }
  const list: BatchList = { items: [], refused: [], otherFiles };
  for (const parts of pictures) {
    const name = parts.join('/');
    const ids = deep ? { groupid: parts[0], ...personOf(parts[1]) } : { groupid, ...personOf(parts[0]) };
    if (parts.length === 1) {
      const message = 'The picture is not in the folder of a person.';
      refuse(list, { name, groupid, userid: '' }, new KaomonError('FIELD_MISSING', message));
    } else take(list, { ...ids, name, file: path.join(root, ...parts) });
  }
  return list;
}

/** A folder's name is the user ID or, where it is not a valid one, the person's name, from which an ID is derived. */
function personOf(folder: string): Pick<BatchItem, 'userid' | 'username'> {
  if (isId(folder)) return { userid: folder };
  const username = normaliseName(folder);
  return { userid: deriveId(username), username: username.slice(0, MAX_NAME) };
}

async function isFile(entry: Dirent, file: string): Promise<boolean> {
  if (entry.isFile()) return true;
  return entry.isSymbolicLink() && ((await stat(file).catch(() => undefined))?.isFile() ?? false);
}

type Row = Partial<Record<string, string>>;

/** The names of the columns in lower case. */
const namesIn = (line: string, delimiter: string) =>
  line.split(delimiter).map((name) => name.trim().replace(/^"|"$/g, '').trim().toLowerCase());

/** @throws Error with the reason why it is not valid */
function parseRows(text: string): Row[] {
  // Excel's line for the delimiter is dropped: the next line shows it as well.
  const table = text.replace(/^\ufeff/, '').replace(/^sep=.\r?\n/i, '');
  const first = (/^[^\r\n]*/.exec(table.trimStart()) ?? [''])[0];
  const delimiter = DELIMITERS.find((one) =>
    ['userid', 'file'].every((name) => namesIn(first, one).includes(name)),
  );
  if (delimiter === undefined) {
    throw new Error(
      `its first line must name the columns userid and file, with commas, semicolons or tabs between them, and is "${first.slice(0, SHOWN)}"`,
    );
  }
  return parse(table, {
    delimiter,
    trim: true,
    skip_empty_lines: true,
    columns: (names: string[]) => names.map((name) => name.toLowerCase()),
  });
}

async function listCsv(file: string, groupid: string, asked: string | undefined): Promise<BatchList> {
  let rows: Row[];
  let encoding: string;
  try {
    const decoded = decodeText(await readFile(file), asked);
    ({ encoding } = decoded);
    rows = parseRows(decoded.text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KaomonError('SETUP', `${file} cannot be read as a CSV file: ${why}`, { cause });
  }
  const folder = path.dirname(path.resolve(file));
  const list: BatchList = { items: [], refused: [], otherFiles: 0, encoding };
  for (const [i, row] of rows.entries()) {
    const { userid = '', username = '', file: name = '' } = row;
    const ids = { groupid: row.groupid === undefined || row.groupid === '' ? groupid : row.groupid, userid };
    if (name === '' || userid === '') {
      const missing = name === '' ? 'file' : 'userid';
      const error = new KaomonError('FIELD_MISSING', `Row ${i + 2} has nothing in the column "${missing}".`);
      refuse(list, { name: name === '' ? `row ${i + 2}` : name, ...ids }, error);
      continue;
    }
    take(list, {
      ...ids,
      username: username.slice(0, MAX_NAME),
      name,
      file: path.resolve(folder, name),
    });
  }
  return list;
}

function take(list: BatchList, item: BatchItem): void {
  try {
    checkGroupId(item.groupid);
    checkUserId(item.userid);
    const username = checkName(item.username ?? '', 'username');
    list.items.push({ ...item, username: username || undefined });
  } catch (error) {
    if (!(error instanceof KaomonError)) throw error;
    refuse(list, item, error);
  }
}

function refuse(list: BatchList, item: Omit<RefusedItem, 'error'>, error: KaomonError): void {
  list.refused.push({ name: item.name, groupid: item.groupid, userid: item.userid, error });
}
