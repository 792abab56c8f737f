/** Groups in a file each (`groups/<groupid>.json`), so that two workers never write one file for two groups. */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import {
  createDurably,
  makeFolder,
  namesIn,
  sweepFolder,
  syncFolder,
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
const MOST_BYTES = 10_000_000;

const GroupFileSchema = Type.Object({ groupname: Type.String(), made: Type.String() });

/** The groups in the gallery's folder. */
export function createFileGroups(gallery: string, damage: Damage) {
  const folder = path.join(gallery, GROUPS);
  const fileOf = (groupid: string) => path.join(folder, `${groupid}.json`);
  /** @param made when it was created, ISO 8601, by which the list is sorted */
  const textOf = ({ groupname }: Group, made: string) => `${JSON.stringify({ groupname, made }, null, 2)}\n`;

  async function readOne(groupid: string): Promise<(Group & { made: string }) | undefined> {
    const what = path.join(GROUPS, `${groupid}.json`);
    try {
      const text = await unlessMissing(readSmall(fileOf(groupid), MOST_BYTES));
      if (text === undefined) return undefined;
      const value: unknown = JSON.parse(text.toString('utf8'));
      if (Value.Check(GroupFileSchema, value))
        return { groupid, groupname: value.groupname, made: value.made };
    } catch (error) {
      if (error instanceof UnfitFile) await setAside(gallery, what, error.message, damage);
      else if (!(error instanceof SyntaxError)) passOver(error, what, damage);
    }
    damage.report(what, 'the group is shown by its ID until a name is given again');
    return { groupid, groupname: groupid, made: '' };
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
      await sweepFolder(folder);
      if (isNew) await this.create(FIRST_GROUP);
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
