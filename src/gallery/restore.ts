import type { Core } from './core.js';
import { parseFaceId } from './face-name.js';
import { checkGroupId, checkUserId, faceIdOf } from './ids.js';
import { normaliseName } from './names.js';
import { profileOf } from './store/profile.js';
import type { NewFace } from './store/store.js';
import type { Gallery, Person, RestoredFace, RestoredPerson } from './types.js';

/** A gallery's methods for an import: one change for many people, because each change is written to the disk for good. */
export function createRestore(core: Core): Pick<Gallery, 'restorePeople' | 'knows'> {
  const { ask, memory, store } = core;

  return {
    knows: (faceid) => memory.has(faceid),

    async restorePeople(people) {
      const given = people.map(toStored);
      for (const groupid of new Set(people.map((person) => person.groupid))) await ask.requireGroup(groupid);
      const faceids = given.map(({ faceid }) => faceid);
      let asked: typeof given = [];
      const made = new Set<string>();
      await core.changeAll(
        faceids,
        async () => {
          const absent = await core.absent(faceids);
          asked = given.filter(({ faceid }) => absent.has(faceid));
          const at = new Date().toISOString();
          return asked.map(({ faceid, groupid }) => ({ kind: 'created' as const, groupid, faceid, at }));
        },
        async () => {
          const added = asked.length > 0 ? await store.addPeople(asked) : [];
          return () => {
            for (const [i, { faceid, profile, faces, corrections }] of asked.entries()) {
              // Whom another process made in this moment is read when somebody asks for them.
              if (!added[i]) continue;
              const stored = faces.map(({ face, vector }) => ({ ...face, vector }));
              const said = corrections.map(({ correction, vector }) => ({ ...correction, vector }));
              memory.setPerson(faceid, { faceid, ...profile, faces: stored, corrections: said });
              made.add(faceid);
            }
          };
        },
      );
      return faceids.map((faceid): Person | undefined =>
        made.has(faceid) ? memory.person(faceid) : undefined,
      );
    },
  };
}

/** @throws KaomonError GROUPID_INVALID, USERID_INVALID; RangeError */
function toStored(person: RestoredPerson) {
  const { groupid, userid, username = '', metadata = {}, consent, faces, corrections = [] } = person;
  checkGroupId(groupid);
  checkUserId(userid);
  const faceid = faceIdOf(groupid, userid);
  const toFace = ({ id, vector, crop }: RestoredFace) => {
    const face = parseFaceId(faceid, id);
    if (!face) throw new RangeError('This is not the ID of a face of the person.');
    return { face: { ...face, hasPicture: crop !== undefined }, vector, crop };
  };
  const byDate = ({ face: a }: NewFace, { face: b }: NewFace) =>
    a.enrolledAt + a.id < b.enrolledAt + b.id ? -1 : 1;
  // Memory keeps the vectors of corrections, which the caller may use again.
  const toCorrection = ({ face: { id, enrolledAt: at, hasPicture }, vector, crop }: NewFace) => ({
    ...{ correction: { id, faceid, at, hasPicture }, vector: vector.slice(), crop },
  });
  return {
    ...{ groupid, faceid, profile: profileOf({ username: normaliseName(username), metadata, consent }) },
    faces: faces.map(toFace).sort(byDate),
    corrections: corrections.map(toFace).map(toCorrection),
  };
}
