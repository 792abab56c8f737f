/** The groups, a file each (`groups/<groupid>.json`), so that two workers never write the same file for two groups. */
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import {
  createDurably,
  makeFolder,
  namesIn,
  sweepUnfinished,
  syncFolder,
  UNFINISHED,
  unlessMissing,
  writeDurably,
} from '../../platform/files/durable.js';
import { readSmall, UnfitFile } from '../../platform/files/small-file.js';
import type { Damage } from '../../platform/files/damage.js';
import { GROUPS } from './file-layout.js';
import { isId } from '../ids.js';
import { passOver, setAside } from '../../platform/files/set-aside.js';
import type { Group } from '../types.js';

const FIRST_GROUP: Group = { groupid: 'default', groupname: 'Default' };
/** The one file that held all groups before; taken in and renamed where it turns up. */
const OLD_FILE = 'groups.json';
const MOST_BYTES = 10_000_000;
const MISSING = Symbol('missing');

const GroupFileSchema = Type.Object({ groupname: Type.String(), made: Type.Optional(Type.String()) });
const OldFileSchema = Type.Array(Type.Object({ groupid: Type.String(), groupname: Type.String() }));

/** Groups below the gallery's folder. */
export function createFileGroups(gallery: string, damage: Damage) {
  const folder = path.join(gallery, GROUPS);
  const fileOf = (groupid: string) => path.join(folder, `${groupid}.json`);
  /** @param made when, ISO 8601: the order of the list */
  const textOf = ({ groupname }: Group, made: string) => `${JSON.stringify({ groupname, made }, null, 2)}\n`;

  async function readOne(groupid: string): Promise<(Group & { made: string }) | undefined> {
    const what = path.join(GROUPS, `${groupid}.json`);
    const value = await readJson(fileOf(groupid), what);
    if (value === MISSING) return undefined;
    if (Value.Check(GroupFileSchema, value))
      return { groupid, groupname: value.groupname, made: value.made ?? '' };
    damage.report(what, 'the group is shown by its ID until a name is given again');
    return { groupid, groupname: groupid, made: '' };
  }

  /** What a file holds; undefined when that cannot be read. */
  async function readJson(file: string, what: string): Promise<unknown> {
    try {
      const text = await unlessMissing(readSmall(file, MOST_BYTES));
      return text === undefined ? MISSING : JSON.parse(text.toString('utf8'));
    } catch (error) {
      if (error instanceof UnfitFile) await setAside(gallery, what, error.message, damage);
      else if (!(error instanceof SyntaxError)) passOver(error, what, damage);
      return undefined;
    }
  }

  async function takeInOldFile(): Promise<boolean> {
    const file = path.join(gallery, OLD_FILE);
    const value = await readJson(file, OLD_FILE);
    if (value === MISSING) return false;
    if (!Value.Check(OldFileSchema, value)) {
      await setAside(gallery, OLD_FILE, 'it holds no groups that can be read', damage);
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
      for (const name of await namesIn(folder))
        if (name.startsWith(UNFINISHED)) await sweepUnfinished(path.join(folder, name));
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
