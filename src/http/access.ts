import type { FastifyRequest } from 'fastify';
import type { Role } from '../access/roles.js';
import { KaomonError } from '../platform/errors.js';
import { checkGroupId } from '../gallery/ids.js';
import type { Gallery } from '../gallery/types.js';

export { type Role, ROLES } from '../access/roles.js';

/** Who calls: what the authentication plugin found out about the request. */
export interface Caller {
  /** Name of the key; `nobody` where no key is asked for or none was given. For the audit log. */
  name: string;
  /** The key's ID; '' without one. */
  keyId: string;
  /** By what the caller is known; `none`: no key is asked for (`AUTH=none`), `nothing`: a stranger on a public route. */
  via: 'key' | 'session' | 'token' | 'none' | 'nothing';
  role: Role;
  /** The groups that the key is tied to; undefined: all. */
  groups: ReadonlySet<string> | undefined;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The least role that a route asks for; `public`: anybody. A route that says nothing asks for `admin`. */
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
  throw new KaomonError('FORBIDDEN', `This key is not for the group "${groupid}".`);
}

/** @throws KaomonError FORBIDDEN when the caller's key is tied to groups @param what it cannot do then */
export function requireAllGroups({ caller }: Pick<FastifyRequest, 'caller'>, what: string): void {
  if (caller.groups === undefined) return;
  throw new KaomonError('FORBIDDEN', `A key that is tied to groups cannot ${what}.`);
}

/**
 * The groups that a request may search: those it names, else those its key is tied to.
 * @param named IDs, separated by commas; undefined: all that the caller may use
 * @returns undefined: everyone
 * @throws KaomonError FORBIDDEN, GROUP_UNKNOWN, GROUPID_INVALID
 */
export function groupsToSearch(
  request: Pick<FastifyRequest, 'caller'>,
  named: string | undefined,
  gallery: Pick<Gallery, 'groups'>,
): ReadonlySet<string> | undefined {
  if (named === undefined) return request.caller.groups;
  const ids = named.split(',').map((id) => id.trim());
  const known = new Set(gallery.groups().map(({ groupid }) => groupid));
  for (const id of ids) {
    checkGroupId(id);
    requireGroupAccess(request, id);
    if (known.has(id)) continue;
    throw new KaomonError('GROUP_UNKNOWN', `There is no group "${id}".`, { details: { field: 'groups' } });
  }
  return new Set(ids);
}
