/** What is checked of people and groups, whatever version of the archive they are in. */
import { checkEmbedding } from '../embedding.js';
import { parseFaceId, personOfFace } from '../face-name.js';
import { faceIdOf, isId } from '../ids.js';
import { type ArchivedGroup, MAX_GROUPS, refuseArchive } from './format.js';

/** @param what the face, for the message @throws KaomonError ARCHIVE_INVALID */
export function checkFaceId(faceid: string, id: string, what: string): void {
  if (!parseFaceId(faceid, id) || personOfFace(id) !== faceid)
    refuseArchive(`${what} is not named like a face of this person`);
}

/** @throws KaomonError ARCHIVE_INVALID */
export function checkVector(vector: Float32Array, length: number, what: string): void {
  try {
    checkEmbedding(vector, length);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    refuseArchive(`${what} is not an embedding`);
  }
}

/** Gathers the groups that people may belong to. */
export function createGroupCheck(known: ReadonlySet<string>, requireGroup: (groupid: string) => void) {
  const groups = new Set<string>();
  return {
    get size() {
      return groups.size;
    },
    /** @throws KaomonError ARCHIVE_INVALID, and what `requireGroup` throws */
    add({ groupid }: ArchivedGroup): void {
      if (!isId(groupid)) refuseArchive(`"${groupid}" is not a group's ID`);
      if (groups.has(groupid)) refuseArchive(`the group "${groupid}" is there twice`);
      if (groups.size >= MAX_GROUPS) refuseArchive(`it has more than ${MAX_GROUPS} groups`);
      requireGroup(groupid);
      groups.add(groupid);
    },
    /** @returns the faceid @throws as `add` */
    person({ groupid, userid }: { groupid: string; userid: string }, what: string): string {
      if (!isId(groupid) || !isId(userid))
        refuseArchive(`${what} is not about a person: its IDs are not valid`);
      if (!groups.has(groupid) && !known.has(groupid))
        refuseArchive(`${what} is of the group "${groupid}", which is missing`);
      requireGroup(groupid);
      return faceIdOf(groupid, userid);
    },
  };
}
