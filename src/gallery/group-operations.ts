import { KaomonError } from '../platform/errors.js';
import type { ChangeKind, GalleryChange } from '../events/event.js';
import { withStoreErrors } from './announce.js';
import type { Core } from './core.js';
import { checkGroupId } from './ids.js';
import { normaliseName } from './names.js';
import type { Gallery, Group } from './types.js';

/** How many people of a group are listed at a time to be deleted with it. */
const AT_ONCE = 256;

/** A gallery's methods for groups. */
export function createGroupOperations(
  core: Core,
): Pick<Gallery, 'createGroup' | 'updateGroup' | 'removeGroup'> {
  const { memory, store } = core;

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

  return {
    async createGroup({ groupid, groupname }) {
      checkGroupId(groupid);
      const group: Group = { groupid, groupname: normaliseName(groupname).trim() || groupid };
      const refuse = (): never => {
        throw new KaomonError('GROUP_EXISTS', `There is a group "${groupid}" already.`);
      };
      return core.change(
        changeOf('group-created', groupid),
        () => {
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
        () => requireGroup(core, groupid, core.reload),
        async () => {
          await store.saveGroup(group);
          return showing(group);
        },
      );
    },

    async removeGroup(groupid, { withPeople }) {
      checkGroupId(groupid);
      await requireGroup(core, groupid);
      const groups = new Set([groupid]);
      const { people } = memory.count(groups);
      if (people > 0 && !withPeople) {
        throw new KaomonError(
          'GROUP_NOT_EMPTY',
          `The group "${groupid}" has ${people} people: delete or move them first, or delete them with it.`,
          { details: { people } },
        );
      }
      let after: string | undefined = '';
      while (after !== undefined) {
        const some = memory.find({ groups, after, limit: AT_ONCE });
        after = some.after;
        for (const faceid of some.found) {
          await core.change(
            { ...changeOf('removed', groupid), faceid },
            () => undefined,
            async () => {
              await store.removePerson(faceid);
              return () => memory.drop(faceid);
            },
          );
        }
      }
      await core.change(
        changeOf('group-removed', groupid),
        () => undefined,
        async () => {
          await store.removeGroup(groupid);
          return showing(undefined);
        },
      );
    },
  };
}

/**
 * @param reload reads the store where memory lacks the group, which another worker may just have made
 * @throws KaomonError GROUP_UNKNOWN
 */
export async function requireGroup(core: Core, groupid: string, reload = core.lockAndReload): Promise<void> {
  const { memory } = core;
  if (memory.hasGroup(groupid)) return;
  await withStoreErrors(reload([]));
  if (memory.hasGroup(groupid)) return;
  throw new KaomonError(
    'GROUP_UNKNOWN',
    `There is no group "${groupid}": make it first, or choose one of the list.`,
    { details: { field: 'groupid' } },
  );
}
