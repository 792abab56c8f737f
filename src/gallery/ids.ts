import { createHash } from 'node:crypto';
import { KaomonError } from '../platform/errors.js';

/**
 * A group's or a person's ID: 1 to 64 ASCII letters, digits, `_` or `.`. It becomes part of a folder's name, so it
 * never starts with a dot; without `-`, `groupid-userid` splits in one way only.
 */
const ID = /^[0-9A-Za-z_][0-9A-Za-z_.]{0,63}$/;

const ALLOWED = '1 to 64 letters, digits, "_" or "." and no dot at the start';

export function isId(text: string): boolean {
  return ID.test(text);
}

/** @throws KaomonError GROUPID_INVALID */
export function checkGroupId(groupid: string): void {
  if (ID.test(groupid)) return;
  throw new KaomonError('GROUPID_INVALID', `The group ID must be ${ALLOWED}.`, {
    details: { field: 'groupid' },
  });
}

/** @throws KaomonError USERID_INVALID */
export function checkUserId(userid: string): void {
  if (ID.test(userid)) return;
  throw new KaomonError('USERID_INVALID', `The user ID must be ${ALLOWED}.`, {
    details: { field: 'userid' },
  });
}

/** `groupid-userid`, of parts that were checked. */
export function faceIdOf(groupid: string, userid: string): string {
  return `${groupid}-${userid}`;
}

/** The two parts of a faceid; undefined when it is not valid. */
export function splitFaceId(faceid: string): { groupid: string; userid: string } | undefined {
  const parts = faceid.split('-');
  if (parts.length !== 2 || !parts.every((part) => ID.test(part))) return undefined;
  const [groupid, userid] = parts;
  return { groupid, userid };
}

/** The most letters of a name in a derived ID. */
const READABLE = 40;

/**
 * Makes an ID from a name that is not a valid one: its Latin letters, to be readable, and a hash of it, to be unique. The
 * same name always gives the same ID.
 * @param name in Unicode's composed form (NFC)
 */
export function deriveId(name: string): string {
  const readable = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^0-9A-Za-z]+/g, '_')
    .replace(/^_|_$/g, '')
    .slice(0, READABLE);
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 10);
  return `${readable || 'subject'}_${hash}`;
}
