import { ROLES, type Role } from './rights.js';

/** The texts that {@link explainRefusal} is made of. */
export interface RefusalWords {
  keyMay: Record<Role, string>;
  roleNeeded: Record<Role, string>;
  notForGroup: (groupid: string) => string;
  notForTied: string;
  sentenceSpace: string;
}

const isRole = (value: unknown): value is Role => ROLES.some((role) => role === value);

/**
 * Why a key may not do something (403), in the page's language.
 * @param details of the server's answer: `role` and `needs`, or `groupid`, or `tied`
 * @returns undefined when the answer gives no reason that the page knows
 */
export function explainRefusal(
  { role, needs, groupid, tied }: Record<string, unknown> = {},
  words: RefusalWords,
): string | undefined {
  if (isRole(role) && isRole(needs))
    return `${words.keyMay[role]}${words.sentenceSpace}${words.roleNeeded[needs]}`.trim();
  if (typeof groupid === 'string') return words.notForGroup(groupid);
  return tied === true ? words.notForTied : undefined;
}
