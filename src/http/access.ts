import type { FastifyRequest } from 'fastify';
import type { Role } from '../access/roles.js';
import { KaomonError } from '../platform/errors.js';
import { checkGroupId } from '../gallery/ids.js';
import type { Gallery } from '../gallery/types.js';

export { type Role, ROLES } from '../access/roles.js';

/** Who is calling, as the authentication plugin found out. */
export interface Caller {
  /** Name of the key; `nobody` where no key is asked for or none was given. For the audit log. */
  name: string;
  /** The key's ID; '' without one. */
  keyId: string;
  /** How the caller is known; `none`: no key is asked for (`AUTH=none`), `nothing`: a stranger on a public route. */
  via: 'key' | 'session' | 'token' | 'none' | 'nothing';
  role: Role;
  /** The groups that the key is tied to; undefined: all. */
  groups: ReadonlySet<string> | undefined;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The lowest role that may call the route; `public`: anybody. Default: `admin`. */
    access?: Role | 'public';
  }
  interface FastifyRequest {
    /** Set before any handler runs; see the authentication plugin. */
    caller: Caller;
  }
}

/** Whether the caller may see and use a group. */
export function mayUseGroup({ caller }: Pick<FastifyRequest, 'caller'>, groupid: string): boolean {
  return caller.groups === undefined || caller.groups.has(groupid);
}

/** @throws KaomonError FORBIDDEN when the caller's key is tied to other groups */
export function requireGroupAccess(request: Pick<FastifyRequest, 'caller'>, groupid: string): void {
  if (mayUseGroup(request, groupid)) return;
  throw new KaomonError('FORBIDDEN', `This key is not for the group "${groupid}".`, { details: { groupid } });
}

/** @param what such a key cannot do @throws KaomonError FORBIDDEN when the caller's key is tied to groups */
export function requireAllGroups({ caller }: Pick<FastifyRequest, 'caller'>, what: string): void {
  if (caller.groups === undefined) return;
  throw new KaomonError('FORBIDDEN', `A key that is tied to groups cannot ${what}.`, { details: { tied: true } });
}

/**
 * The groups to search: those that the request names, else those that its key is tied to.
 * @param named IDs, separated by commas; undefined: all that the caller may use
 * @returns undefined: all groups
 * @throws KaomonError FORBIDDEN, GROUP_UNKNOWN, GROUPID_INVALID
 */
export async function groupsToSearch(
  request: Pick<FastifyRequest, 'caller'>,
  named: string | undefined,
  gallery: Pick<Gallery, 'group'>,
): Promise<ReadonlySet<string> | undefined> {
  if (named === undefined) return request.caller.groups;
  const ids = named.split(',').map((id) => id.trim());
  for (const id of ids) {
    checkGroupId(id);
    requireGroupAccess(request, id);
    if (await gallery.group(id)) continue;
    throw new KaomonError('GROUP_UNKNOWN', `There is no group "${id}".`, { details: { field: 'groups' } });
  }
  return new Set(ids);
}
