import { KaomonError, throwIfGone } from '../platform/errors.js';
import { findByPicture, hashPicture } from '../gallery/face-name.js';
import { checkGroupId, checkUserId, faceIdOf } from '../gallery/ids.js';
import type { Enrolled, Enrolment, Face, Gallery } from '../gallery/types.js';
import { FLOORS } from '../vision/fitness.js';
import type { AnalysedFace, Analysis, AnalyzeOptions, StageTimes, VisionPool } from '../vision/types.js';
import type { Decision } from './decision.js';

/**
 * A face in the background does not stop an enrolment: one whose shorter side is less than this part of the largest
 * face's. Above it nobody can say which of the two is meant.
 */
const BACKGROUND = 0.5;
/** Nor does one that the picture's edge cuts: with less than this part of its box inside it is not the one meant. */
const INSIDE = 0.8;
/** One that the edge only touches may be meant where it is nearly as large: less than this part inside is touched. */
const TOUCHED = { inside: 0.97, size: 0.75 };

/** What a face must reach to be enrolled; the settings MIN_ENROL_SIZE, MIN_SHARPNESS, MAX_YAW, ... (docs/quality.md). */
export interface EnrolLimits {
  /** Shorter side of the smallest face, pixels. */
  minSize: number;
  /** Variance of the Laplacian (see Quality.sharpness). */
  minSharpness: number;
  /** Head turns to either side, degrees; checked where the detector gives landmarks. */
  maxYaw: number;
  maxPitch: number;
  maxRoll: number;
}

export interface EnrollerDeps {
  vision: Pick<VisionPool, 'analyze'>;
  gallery: Pick<Gallery, 'enrolOnce' | 'updatePerson' | 'groups' | 'person'>;
  /** The gallery's, or one that is measured. */
  nearest: Gallery['nearest'];
  limits: EnrolLimits;
  /** A face that it names as somebody else is somebody else's. */
  decision: Pick<Decision, 'threshold'>;
  /** A second registration of one person within so many seconds is a double click (maiface's E1002). */
  doubleSeconds: number;
  /** Keep the aligned face beside its vector. */
  keepFaces: boolean;
}

/** How one picture is enrolled, and for whom. */
export interface EnrolOptions extends Pick<AnalyzeOptions, 'caller' | 'signal'> {
  /** Enrol even a face that is enrolled under another person. */
  force?: boolean;
  /** Take another picture of a person who was enrolled a moment ago: no double click, but one of several. */
  oneOfSeveral?: boolean;
  /**
   * The groups that the caller may see; undefined: all. Who is enrolled in another one neither stands in the way nor is
   * told of: a refusal alone would say that a face is enrolled there.
   */
  groups?: ReadonlySet<string> | undefined;
}

/** Enrols the one face of a picture under a person. */
export type Enroller = ReturnType<typeof createEnroller>;

export function createEnroller(deps: EnrollerDeps) {
  const { vision, gallery, nearest, limits, decision, doubleSeconds, keepFaces } = deps;
  /** faceids whose enrolment is under way: two that arrive at once must not both pass the check. */
  const underWay = new Set<string>();

  /** The newest face of each who was enrolled here within `doubleSeconds`, the oldest first. */
  const lately = new Map<string, { face: string; at: number }>();

  /** Seconds since the last enrolment: here by a clock that nobody sets, in another worker by the dates of the faces. */
  function sinceLast(faceid: string): number {
    const faces = gallery.person(faceid)?.faces ?? [];
    const own = lately.get(faceid);
    if (own && faces.some(({ id }) => id === own.face)) return (performance.now() - own.at) / 1000;
    const last = faces.at(-1);
    const age = last ? (Date.now() - Date.parse(last.enrolledAt)) / 1000 : Infinity;
    return age < 0 ? Infinity : age;
  }

  function noteEnrolled(faceid: string, face: string): void {
    const now = performance.now();
    for (const [known, { at }] of lately) {
      if (now - at < doubleSeconds * 1000) break;
      lately.delete(known);
    }
    lately.delete(faceid);
    lately.set(faceid, { face, at: now });
  }

  function refuseDouble(faceid: string): void {
    if (!underWay.has(faceid) && sinceLast(faceid) >= doubleSeconds) return;
    const wait = doubleSeconds > 0 ? `${doubleSeconds} seconds` : 'until that has been answered';
    throw new KaomonError(
      'ALREADY_REGISTERED',
      `This person was registered a moment ago: wait ${wait} before the next picture.`,
      { retryAfter: Math.max(1, doubleSeconds) },
    );
  }

  async function refuseOtherPerson(
    faceid: string,
    embedding: Float32Array,
    groups: ReadonlySet<string> | undefined,
  ): Promise<void> {
    const near = await nearest(embedding, 2, { ...(groups && { groups }) });
    const other = near.find(({ person }) => person.faceid !== faceid);
    const own = near.find(({ person }) => person.faceid === faceid);
    if (!other || other.distance >= decision.threshold(groups)) return;
    // Who resembles somebody is still oneself.
    if (own && own.distance <= other.distance) return;
    const { person, distance } = other;
    throw new KaomonError(
      'OTHER_PERSON',
      `This face is enrolled as ${person.username} (${person.faceid}): enrol it there, or say that it is meant.`,
      { details: { faceid: person.faceid, distance } },
    );
  }

  return {
    /**
     * Refuses a face that is nearer to somebody else than a name is given at, and nearer than to the person it is for:
     * what every way in asks, whoever looked at the picture.
     * @param embedding unit length; only read
     * @throws KaomonError OTHER_PERSON
     */
    refuseOtherPerson,

    /**
     * Checks what costs nothing before the picture is looked at. One that the person has already, by its bytes or by its
     * embedding, is not enrolled again (`already`).
     * @param bytes an encoded picture; handed over (see VisionPool.analyze)
     * @throws KaomonError GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN, ALREADY_REGISTERED, NO_FACE, SEVERAL_FACES,
     *   FACE_TOO_SMALL, FACE_BLURRED, FACE_TURNED, OTHER_PERSON, and what VisionPool.analyze and Gallery.enrol throw
     */
    async enrol(
      person: Pick<Enrolment, 'groupid' | 'userid' | 'username'>,
      bytes: Uint8Array,
      options: EnrolOptions = {},
    ): Promise<Enrolled & { times: StageTimes }> {
      checkUserId(person.userid);
      checkGroupId(person.groupid);
      refuseUnknownGroup(gallery, person.groupid);
      const faceid = faceIdOf(person.groupid, person.userid);
      if (!options.oneOfSeveral) refuseDouble(faceid);
      underWay.add(faceid);
      try {
        const { caller, signal } = options;
        const picture = await hashPicture(bytes);
        const before = await findEnrolled(gallery, person, picture);
        if (before)
          return { face: before, already: true, times: { queue: 0, decode: 0, detect: 0, embed: 0 } };
        const { faces, times, ...size } = await vision.analyze(bytes, {
          ...{ quality: true, crops: keepFaces, views: true },
          ...(caller !== undefined && { caller }),
          ...(signal && { signal }),
        });
        const chosen = chooseFace(faces, limits.minSize, size);
        checkQuality(chosen, limits);
        const { embedding, crop } = chosen;
        if (!embedding) throw new Error('The vision thread answered a face without its embedding.');
        if (!options.force) await refuseOtherPerson(faceid, embedding, options.groups);
        // From here on it is done, whoever hangs up.
        throwIfGone(signal);
        const kept = { picture, ...(keepFaces && crop && { crop }) };
        const enrolled = await gallery.enrolOnce({ ...person, ...kept }, embedding);
        noteEnrolled(faceid, enrolled.face.id);
        return { ...enrolled, times };
      } finally {
        underWay.delete(faceid);
      }
    },
  };
}

/**
 * The face that a person's picture was enrolled as before: nothing of the picture need be looked at then.
 * @param picture as `hashPicture`
 */
export async function findEnrolled(
  gallery: Pick<Gallery, 'person' | 'updatePerson'>,
  { groupid, userid, username }: Pick<Enrolment, 'groupid' | 'userid' | 'username'>,
  picture: string,
): Promise<Face | undefined> {
  const person = gallery.person(faceIdOf(groupid, userid));
  const face = person && findByPicture(person.faces, picture);
  if (face && username !== undefined && username !== person.username)
    await gallery.updatePerson(person.faceid, { username });
  return face;
}

function refuseUnknownGroup(gallery: Pick<Gallery, 'groups'>, groupid: string): void {
  if (gallery.groups().some((group) => group.groupid === groupid)) return;
  throw new KaomonError(
    'GROUP_UNKNOWN',
    `There is no group "${groupid}": make it first, or choose one of the list.`,
    { details: { field: 'groupid' } },
  );
}

/** The part of a face's box that lies in the picture, 0 to 1. */
function partInside({ box }: AnalysedFace, { width, height }: PictureSize): number {
  const along = (from: number, to: number, length: number) =>
    Math.max(0, Math.min(to, length) - Math.max(from, 0)) / (to - from);
  return along(box.x1, box.x2, width) * along(box.y1, box.y2, height);
}

/** Whether enough of a face is in the picture for it to be the one meant. @param size its side, of the largest face's */
function isInside(face: AnalysedFace, size: number, picture: PictureSize): boolean {
  const part = partInside(face, picture);
  return part >= TOUCHED.inside || (part >= INSIDE && size >= TOUCHED.size);
}

type PictureSize = Pick<Analysis, 'width' | 'height'>;

const shorterSide = ({ box }: AnalysedFace) => Math.min(box.x2 - box.x1, box.y2 - box.y1);

/**
 * The one face that may be enrolled.
 * @param faces largest first
 * @param picture its size in pixels; left out, faces that its edge cuts count like the others
 * @throws KaomonError NO_FACE, SEVERAL_FACES, FACE_TOO_SMALL
 */
export function chooseFace(
  faces: readonly AnalysedFace[],
  minEnrolSize: number,
  picture?: PictureSize,
): AnalysedFace {
  const [face] = faces;
  if (faces.length === 0) {
    throw new KaomonError('NO_FACE', 'No face was found: come closer, face the camera and mind the light.');
  }
  const meant = faces.filter(
    (other) =>
      other === face ||
      (shorterSide(other) >= shorterSide(face) * BACKGROUND &&
        (!picture || isInside(other, shorterSide(other) / shorterSide(face), picture))),
  );
  if (meant.length > 1) {
    throw new KaomonError(
      'SEVERAL_FACES',
      `${meant.length} faces were found: only the one to register may be in the picture.`,
      { details: { faces: meant.length } },
    );
  }
  const size = Math.round(shorterSide(face));
  if (size < minEnrolSize) {
    throw new KaomonError(
      'FACE_TOO_SMALL',
      `The face is ${size} pixels wide, at least ${minEnrolSize} are needed: come closer.`,
      { details: { size, minimum: minEnrolSize } },
    );
  }
  return face;
}

/**
 * Nobody would be recognised by it, so nobody is enrolled with it or compared by it, whatever the settings say.
 * @throws KaomonError FACE_TOO_SMALL, FACE_BLURRED, FACE_TURNED
 */
export function refuseUnfit({ quality, unfit }: Pick<AnalysedFace, 'quality' | 'unfit'>): void {
  if (!unfit) return;
  const size = Math.round(quality?.size ?? 0);
  const sharpness = Math.round((quality?.sharpness ?? 0) * 10) / 10;
  const { code, message, details } = {
    too_small: {
      code: 'FACE_TOO_SMALL' as const,
      message: `The face is ${size} pixels wide; by fewer than ${FLOORS.size} nobody can be told apart: come closer.`,
      details: { size, minimum: FLOORS.size },
    },
    too_blurred: {
      code: 'FACE_BLURRED' as const,
      message: `The face is too blurred, or the picture compressed too strongly, to tell it apart (sharpness ${sharpness}): hold still, mind the light and the focus, and send the picture as the camera made it.`,
      details: { sharpness },
    },
    turned: {
      code: 'FACE_TURNED' as const,
      message: 'The face lies on its side or stands on its head: turn the picture upright.',
      details: { axis: 'roll' },
    },
  }[unfit];
  throw new KaomonError(code, message, { details });
}

/**
 * Whether a face is fit to be compared with for years: sharp, and looking at the camera.
 * @throws KaomonError FACE_BLURRED, FACE_TURNED, with the measured figure and the limit
 */
export function checkQuality(
  { quality, unfit }: Pick<AnalysedFace, 'quality' | 'unfit'>,
  limits: EnrolLimits,
): void {
  if (!quality) return;
  if (unfit) refuseUnfit({ quality, unfit });
  const sharpness = Math.round(quality.sharpness * 10) / 10;
  if (quality.sharpness < limits.minSharpness) {
    throw new KaomonError(
      'FACE_BLURRED',
      `The face is blurred (sharpness ${sharpness}, at least ${limits.minSharpness} is needed): hold still, mind the light and the focus.`,
      { details: { sharpness, minimum: limits.minSharpness } },
    );
  }
  const turns = [
    ['yaw', quality.yaw, limits.maxYaw, 'to the side: look straight at the camera'],
    ['pitch', quality.pitch, limits.maxPitch, 'up or down: look straight at the camera'],
    ['roll', quality.roll, limits.maxRoll, 'tilted: hold the head, or the camera, upright'],
  ] as const;
  for (const [axis, value, maximum, advice] of turns) {
    if (value === undefined || Math.abs(value) <= maximum) continue;
    const degrees = Math.round(value);
    throw new KaomonError(
      'FACE_TURNED',
      `The face is turned ${Math.abs(degrees)} degrees, at most ${maximum} are taken, ${advice}.`,
      { details: { axis, degrees, maximum } },
    );
  }
}
