import { KaomonError } from '../platform/errors.js';
import type { ChangeKind, GalleryChange } from '../events/event.js';
import pMap from 'p-map';
import { withStoreErrors } from './announce.js';
import type { Core } from './core.js';
import { checkGroupId } from './ids.js';
import { normaliseName } from './names.js';
import { addErased } from './erased.js';
import type { Erased, Gallery, Group } from './types.js';

/** People of a group that are deleted at a time. */
const AT_ONCE = 8;

/** A gallery's methods for groups. */
export function createGroupOperations(
  core: Core,
  pages: Pick<Gallery, 'everyone'>,
): Pick<Gallery, 'createGroup' | 'updateGroup' | 'removeGroup'> {
  const { ask, memory, store } = core;

  const changeOf = (kind: ChangeKind, groupid: string): GalleryChange => ({
    kind,
    groupid,
    at: new Date().toISOString(),
  });

  /** What `Core.change` asks of a write: reads the groups now, and puts them into memory later. */
  async function showing<T>(result: T): Promise<() => T> {
    const groups = await store.readGroups();
    return () => {
      memory.setGroups(groups);
      return result;
    };
  }

  /** Who is in a group, as the store has it; memory forgets whoever is gone. */
  async function peopleOf(groupid: string): Promise<string[]> {
    const listed = new Set(await ask.peopleIn(groupid));
    // A folder that a crash left empty is listed, too.
    const there = async (faceid: string) => (await ask.person(faceid)) && faceid;
    const people = await pMap(listed, there, { concurrency: AT_ONCE });
    for await (const { faceid } of pages.everyone({ groups: new Set([groupid]) }))
      if (!listed.has(faceid)) await withStoreErrors(core.lockAndReload([faceid]));
    return people.filter((faceid) => faceid !== undefined);
  }

  async function removeOne(
    groupid: string,
    faceid: string,
    removed: (faceid: string) => void,
  ): Promise<Erased> {
    const erased = await core.change(
      { ...changeOf('removed', groupid), faceid },
      () => undefined,
      async (): Promise<() => Erased> => {
        const held = await store.removePerson(faceid);
        return () => {
          memory.drop(faceid);
          return held ? { people: 1, ...held } : {};
        };
      },
    );
    removed(faceid);
    return erased;
  }

  return {
    async createGroup({ groupid, groupname }) {
      checkGroupId(groupid);
      const group: Group = { groupid, groupname: normaliseName(groupname).trim() || groupid };
      const refuse = (): never => {
        throw new KaomonError('GROUP_EXISTS', `There is a group "${groupid}" already.`);
      };
      return core.change(
        changeOf('group-created', groupid),
        async () => {
          if (!memory.hasGroup(groupid)) return;
          await withStoreErrors(core.reload([]));
          if (!memory.hasGroup(groupid)) return;
          // A group without a file of its own is there as long as people are in it.
          if (memory.count([groupid]).people > 0) await peopleOf(groupid);
          if (memory.hasGroup(groupid)) refuse();
        },
        async () => {
          if (!(await store.createGroup(group))) refuse();
          return showing(group);
        },
      );
    },

    async updateGroup(groupid, groupname) {
      checkGroupId(groupid);
      const group: Group = { groupid, groupname: normaliseName(groupname).trim() || groupid };
      return core.change(
        changeOf('group-updated', groupid),
        () => ask.requireGroup(groupid, core.reload),
        async () => {
          await store.saveGroup(group);
          return showing(group);
        },
      );
    },

    async removeGroup(groupid, { withPeople, removed = () => undefined }) {
      checkGroupId(groupid);
      await ask.requireGroup(groupid);
      const people = await peopleOf(groupid);
      if (people.length > 0 && !withPeople) {
        throw new KaomonError(
          'GROUP_NOT_EMPTY',
          `The group "${groupid}" has ${people.length} people: delete or move them first, or delete them with it.`,
          { details: { people: people.length } },
        );
      }
      const erased: Erased = {};
      const remove = async (faceid: string) => addErased(erased, await removeOne(groupid, faceid, removed));
      // Again, for those whom somebody enrols meanwhile.
      for (let left = people; left.length > 0; left = await peopleOf(groupid))
        await pMap(left, remove, { concurrency: AT_ONCE });
      await core.change(
        changeOf('group-removed', groupid),
        () => undefined,
        async () => {
          await store.removeGroup(groupid);
          return showing(undefined);
        },
      );
      return erased;
    },
  };
}
