/** What a key may do; each role may all that the ones before it may. */
export const ROLES = ['recognise', 'enrol', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/**
 * What a part of a page may ask of a key: a role; `keys`: administrator of all groups, as for managing keys; `session`:
 * that somebody is signed in, so that there is something to sign out of.
 */
export const NEEDS = [...ROLES, 'keys', 'session'] as const;
export type Need = (typeof NEEDS)[number];

/** Who is signed in, as `GET /api/v1/session` answers. */
export interface Session {
  /** `none`: this server asks nobody for a key. */
  auth: 'none' | 'key';
  signedIn: boolean;
  /** The key's name. */
  name?: string;
  role?: Role;
  /** The groups that the key is tied to; null: all. */
  groups?: readonly string[] | null;
  /** Goes with every request that changes something. */
  csrf?: string;
}

/** Whether a key may do what a part of a page is for. Somebody who is not signed in may nothing. */
export function allows({ auth, signedIn, role = 'admin', groups }: Session, need: Need): boolean {
  if (need === 'session') return auth === 'key' && signedIn;
  if (auth === 'key' && !signedIn) return false;
  if (need === 'keys') return role === 'admin' && !groups;
  return ROLES.indexOf(role) >= ROLES.indexOf(need);
}

/** All that a key may, for the page's `data-may`. */
export function allowedOf(session: Session): string {
  return NEEDS.filter((need) => allows(session, need)).join(' ');
}

/** Whether two answers are about the same key with the same rights: what a page shows then still holds. */
export function isSameKey(a: Session, b: Session): boolean {
  return a.name === b.name && allowedOf(a) === allowedOf(b) && String(a.groups) === String(b.groups);
}

/**
 * What this browser keeps after a sign-out: settings of the device. Everything else that a page has remembered goes, so
 * that a shared phone tells its next user nothing about the one before.
 */
const OF_THE_DEVICE = new Set(['language', 'camera', 'sound', 'greeting', 'shortcuts']);

/** Whether a remembered choice goes with a sign-out. @param key as in localStorage */
export function goesWithSession(key: string): boolean {
  const prefix = 'kaomon.';
  return key.startsWith(prefix) && !OF_THE_DEVICE.has(key.slice(prefix.length));
}
