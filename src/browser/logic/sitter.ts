import type { SeenFace } from './faces.js';

/**
 * Another face must stay for so long, milliseconds, before it counts: somebody may just walk by, the more so when all pictures are
 * taken and nobody keeps still any more.
 */
const STAYS = { taking: 300, done: 1500 };

/**
 * What the face in front of the camera is to the pictures that were taken:
 * `free`: there are none yet; `same`: it is theirs; `waiting`: too early to tell, or nobody is there;
 * `unsure`: another track, which may be the same person who came back; `other`: somebody else for certain.
 */
export type Standing = 'free' | 'same' | 'waiting' | 'unsure' | 'other';

/** Watches that all pictures are of one person: they belong to the track that they were taken of. */
export function createSitter() {
  let owner: { track: number | undefined; faceid: string } | undefined;
  let lastSeen = -Infinity;
  let newcomer: { track: number; since: number } | undefined;

  return {
    /**
     * @param face the one whose picture would be taken; undefined when nobody is there
     * @param done whether all pictures are taken
     */
    see(face: Pick<SeenFace, 'track' | 'identity'> | undefined, now: number, done = false): Standing {
      if (!owner) return 'free';
      if (!face) {
        newcomer = undefined;
        return 'waiting';
      }
      const { faceid } = face.identity;
      if (face.track === owner.track) {
        newcomer = undefined;
        lastSeen = now;
        // The track keeps its number for two frames of another face at most: docs/stream.md.
        if (faceid !== '') owner.faceid = faceid;
        return 'same';
      }
      if (newcomer?.track !== face.track) newcomer = { track: face.track, since: now };
      if (now - newcomer.since < (done ? STAYS.done : STAYS.taking)) return 'waiting';
      if (owner.faceid === '' || faceid === '') return 'unsure';
      if (owner.faceid !== faceid) return 'other';
      this.adopt(face, now);
      return 'same';
    },
    /**
     * A picture was taken of a face, or a face is known to be that of the pictures.
     * @param face undefined: there are pictures, and nobody is there now
     */
    adopt(face: Pick<SeenFace, 'track' | 'identity'> | undefined, now: number): void {
      const named = face?.identity.faceid ?? '';
      owner = { track: face?.track, faceid: named === '' ? (owner?.faceid ?? '') : named };
      lastSeen = now;
      newcomer = undefined;
    },
    /** Numbers of tracks mean nothing any more: the server was away. */
    forgetTracks(): void {
      if (owner) owner.track = undefined;
      newcomer = undefined;
    },
    /** There are no pictures any more. */
    clear(): void {
      owner = newcomer = undefined;
    },
    /** When the face of the pictures was last there. */
    get lastSeen(): number {
      return lastSeen;
    },
    /** The track that the pictures were last taken of. */
    get track(): number | undefined {
      return owner?.track;
    },
  };
}
