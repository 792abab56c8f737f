import { currentSession } from './api.js';
import { recall } from './dom.js';
import { beginning } from './draft.js';
import { words } from './i18n.js';
import type { createPersonFields } from './person-fields.js';

/**
 * Fills in whom the address or an earlier visit names, and the groups that the key may use.
 * @param onWritten called when the name stands there; the groups are still to come
 * @returns what to tell the user, and whether they may enrol at all; undefined: all is well
 * @throws ApiError
 */
export async function fillInPerson(
  fields: ReturnType<typeof createPersonFields>,
  onWritten: () => void,
): Promise<{ text: string; mayEnrol: boolean } | undefined> {
  const { groupid, ...person } = beginning();
  fields.write(person);
  onWritten();
  const isThere = await fields.fill(groupid ?? recall('group'));
  const { role = 'admin', groups } = await currentSession();
  if (role === 'recognise') return { text: words.mayNotEnrol, mayEnrol: false };
  if (groupid === undefined || isThere) return undefined;
  // The ID is somebody's in that group; in another it would make somebody else.
  fields.write({ ...person, userid: '' });
  return { text: groups ? words.notForGroup(groupid) : words.errors.GROUP_UNKNOWN, mayEnrol: true };
}
