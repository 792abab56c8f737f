/** The groups, a file each (`groups/<groupid>.json`), so that two workers never write the same file for two groups. */
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { createDurably, makeFolder, syncFolder, unlessMissing, writeDurably, namesIn } from '../durable.js';
import { GROUPS } from './file-layout.js';
import { isId } from './ids.js';
import type { Group } from './types.js';

const FIRST_GROUP: Group = { groupid: 'default', groupname: 'Default' };
/** The one file that held all groups before; taken in and renamed where it turns up. */
const OLD_FILE = 'groups.json';

const GroupFileSchema = Type.Object({ groupname: Type.String(), made: Type.Optional(Type.String()) });
const OldFileSchema = Type.Array(Type.Object({ groupid: Type.String(), groupname: Type.String() }));

/** Groups below the gallery's folder. */
export function createFileGroups(gallery: string, warn: (message: string) => void) {
  const folder = path.join(gallery, GROUPS);
  const fileOf = (groupid: string) => path.join(folder, `${groupid}.json`);
  /** @param made when, ISO 8601: the order of the list */
  const textOf = ({ groupname }: Group, made: string) => `${JSON.stringify({ groupname, made }, null, 2)}\n`;

  async function readOne(groupid: string): Promise<(Group & { made: string }) | undefined> {
    const text = await unlessMissing(readFile(fileOf(groupid), 'utf8'));
    if (text === undefined) return undefined;
    const value = parse(text);
    if (Value.Check(GroupFileSchema, value))
      return { groupid, groupname: value.groupname, made: value.made ?? '' };
    warn(`${fileOf(groupid)} could not be read: the group is shown by its ID.`);
    return { groupid, groupname: groupid, made: '' };
  }

  async function takeInOldFile(): Promise<boolean> {
    const file = path.join(gallery, OLD_FILE);
    const text = await unlessMissing(readFile(file, 'utf8'));
    if (text === undefined) return false;
    const value = parse(text);
    if (!Value.Check(OldFileSchema, value)) {
      warn(`${file} could not be read and is left as it is.`);
      return false;
    }
    const started = Date.now();
    for (const [i, group] of value.entries()) {
      if (isId(group.groupid)) {
        await createDurably(fileOf(group.groupid), textOf(group, new Date(started + i).toISOString()));
      }
    }
    await unlessMissing(rename(file, `${file}.taken-in`));
    return true;
  }

  return {
    async read(): Promise<Group[]> {
      const names = await namesIn(folder);
      const ids = names
        .filter((name) => name.endsWith('.json'))
        .map((name) => name.slice(0, -'.json'.length));
      const groups = (await Promise.all(ids.filter(isId).map(readOne))).filter(
        (group) => group !== undefined,
      );
      groups.sort((a, b) => (a.made + a.groupid < b.made + b.groupid ? -1 : 1));
      return groups.map(({ groupid, groupname }) => ({ groupid, groupname }));
    },

    /** Makes the folder with its first group, once. */
    async prepare(): Promise<void> {
      const isNew = (await unlessMissing(readdir(folder))) === undefined;
      await makeFolder(folder);
      if (!(await takeInOldFile()) && isNew) await this.create(FIRST_GROUP);
    },

    create: (group: Group): Promise<boolean> =>
      createDurably(fileOf(group.groupid), textOf(group, new Date().toISOString())),

    async save(group: Group): Promise<void> {
      const before = await readOne(group.groupid);
      await writeDurably(fileOf(group.groupid), textOf(group, before?.made ?? new Date().toISOString()));
    },

    async remove(groupid: string): Promise<boolean> {
      const removed = await unlessMissing(rm(fileOf(groupid)).then(() => true));
      if (!removed) return false;
      await syncFolder(folder);
      return true;
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
