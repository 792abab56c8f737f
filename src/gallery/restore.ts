import type { Core } from './core.js';
import { checkEmbedding } from './embedding.js';
import { parseFaceId } from './face-name.js';
import { checkGroupId, checkUserId, faceIdOf } from './ids.js';
import { normaliseName } from './names.js';
import { refuseExisting } from './ask.js';
import type { Profile } from './store/store.js';
import type { Gallery } from './types.js';

/** A gallery's method for an import: one change a person, because each change is written to the disk for good. */
export function createRestore(core: Core): Pick<Gallery, 'restorePerson'> {
  const { ask, memory, store } = core;
  return {
    async restorePerson({ groupid, userid, username = '', metadata = {} }, faces) {
      checkGroupId(groupid);
      checkUserId(userid);
      const faceid = faceIdOf(groupid, userid);
      const profile: Profile = { username: normaliseName(username), metadata };
      const taken = faces.map(({ id, vector, crop }) => {
        checkEmbedding(vector);
        const face = parseFaceId(faceid, id);
        if (!face) throw new RangeError('This is not the ID of a face of the person.');
        return { face: { ...face, hasPicture: crop !== undefined }, vector: vector.slice(), crop };
      });
      taken.sort(({ face: a }, { face: b }) => (a.enrolledAt + a.id < b.enrolledAt + b.id ? -1 : 1));
      await ask.requireGroup(groupid);
      return core.change(
        { kind: 'created', groupid, faceid, at: new Date().toISOString() },
        () => ask.requireNobody(faceid, core.reload),
        async () => {
          if (!(await store.addPerson(faceid, profile, taken))) refuseExisting(faceid);
          return () => {
            const stored = taken.map(({ face, vector }) => ({ ...face, vector }));
            memory.setPerson(faceid, { faceid, ...profile, faces: stored });
            return memory.person(faceid) ?? refuseExisting(faceid);
          };
        },
      );
    },
  };
}
