/** Whether the pictures that are enrolled for one person show one person (docs/ways-in.md). */
import { connectedParts } from '../gallery/connected.js';
import { squaredDistance } from '../gallery/distance.js';
import type { Gallery } from '../gallery/types.js';
import { KaomonError } from '../platform/errors.js';
import type { CountedWork, Whose } from './counted-work.js';
import type { Decision } from './decision.js';
import type { OtherPersonCheck } from './other-person.js';

/** A face that comes for a person, perhaps with others. Distances are squared L2. */
export interface Newcomer {
  embedding: Float32Array;
  /** Of its picture: one picture that comes twice is one witness. */
  picture: string;
  /** The nearest of the person's own faces, or their template; undefined: there is none to compare with. */
  own?: { face: string; distance: number; isCorrected?: boolean };
}

/** A face that is not of the person whom the others show. */
export interface Stranger {
  /** Squared L2 to the nearest face of that person or, where it cannot be told whose the pictures are, of somebody else. */
  distance: number;
  /** The person's nearest face that is enrolled; undefined: it was compared with those that came with it. */
  face?: string;
  /** As many pictures show this person as show another. */
  undecided: boolean;
  /** Somebody said that a face like this is not the person's. */
  isCorrected?: boolean;
}

/**
 * Finds the faces that are not of the same person as the others. Two belong together that are nearer than `limit`, be it
 * by way of others: a head that turns away is far from itself in the end, but not from one picture to the next. Whoever is
 * enrolled decides who is meant, else the larger number of pictures; where two numbers are equal nobody can know.
 * @param limit squared L2
 * @returns by their places in the list; nothing where all belong together
 */
export function findStrangers(faces: readonly Newcomer[], limit: number): Map<number, Stranger> {
  const parts = partsOf(faces, limit);
  const isKnown = (at: number) =>
    (faces[at].own?.distance ?? Infinity) < limit && faces[at].own?.isCorrected !== true;
  const strangers = new Map<number, Stranger>();
  if (faces.some(({ own }) => own)) {
    for (const part of parts) {
      const isTheirs = part.some(isKnown);
      for (const at of part) {
        const { distance = 4, face, isCorrected = false } = faces[at].own ?? {};
        if (!isTheirs || isCorrected) strangers.set(at, { distance, face, undecided: false, isCorrected });
      }
    }
    return strangers;
  }
  const sizes = parts.map((part) => new Set(part.map((at) => faces[at].picture)).size);
  const largest = Math.max(...sizes);
  const most = parts.filter((_part, i) => sizes[i] === largest);
  const undecided = most.length > 1;
  for (const part of parts) {
    if (part === most[0] && !undecided) continue;
    const others = undecided ? parts.filter((other) => other !== part).flat() : most[0];
    for (const at of part) {
      const distances = others.map((other) => squaredDistance(faces[at].embedding, faces[other].embedding));
      strangers.set(at, { distance: Math.min(...distances), undecided });
    }
  }
  return strangers;
}

/** The places of faces that hang together, part by part. */
function partsOf(faces: readonly Newcomer[], limit: number): number[][] {
  return connectedParts(
    faces.length,
    (one, other) =>
      faces[one].picture === faces[other].picture ||
      squaredDistance(faces[one].embedding, faces[other].embedding) < limit,
  );
}

export interface SamePersonDeps {
  gallery: Pick<Gallery, 'person'>;
  /** The gallery's `nearest`, perhaps wrapped for metrics. */
  nearest: Gallery['nearest'];
  searches: Pick<CountedWork, 'one'>;
  decision: Pick<Decision, 'apart'>;
  refuseOtherPerson: OtherPersonCheck;
}

/** A face to enrol, with others or alone. */
export interface FaceToCompare extends Pick<Newcomer, 'picture'> {
  /** undefined: the picture was enrolled before, so that there is nothing to compare. */
  embedding: Float32Array | undefined;
  /** Which of the call's pictures it is, from 0. */
  place: number | undefined;
}

/** Makes the check of an enrolment that pictures show the person whose they are. */
export function createSamePersonCheck(deps: SamePersonDeps) {
  const { gallery, nearest, searches, decision, refuseOtherPerson } = deps;

  async function nearestOwn(
    faceid: string,
    embedding: Float32Array,
    whose: Whose,
  ): Promise<Newcomer['own'] | undefined> {
    if (((await gallery.person(faceid))?.faces.length ?? 0) === 0) return undefined;
    const match = (await searches.one(() => nearest(embedding, 1, { faceid }), whose)).at(0);
    if (!match) return undefined;
    return { face: match.face.id, distance: match.distance, isCorrected: match.correction !== undefined };
  }

  /**
   * Finds which of the faces for a person are of somebody else. One that is known to be another person's says nothing of
   * whom the others show, and is refused for that.
   * @returns the error of each that is refused, by its place in the list
   * @throws KaomonError CLIENT_GONE
   */
  return async (
    faceid: string,
    faces: readonly FaceToCompare[],
    { groups, caller, signal }: Whose & { groups?: ReadonlySet<string> | undefined },
  ): Promise<Map<number, unknown>> => {
    const whose = { caller, signal, isAdmitted: true };
    const refused = new Map<number, unknown>();
    let newcomers: (Newcomer & { at: number })[] = [];
    for (const [at, { embedding, picture }] of faces.entries())
      if (embedding)
        newcomers.push({ at, picture, embedding, own: await nearestOwn(faceid, embedding, whose) });
    const threshold = decision.apart();
    if (findStrangers(newcomers, threshold).size === 0) return refused;
    for (const { at, embedding } of newcomers) {
      const check = refuseOtherPerson(faceid, embedding, groups, whose);
      await check.catch((error: unknown) => refused.set(at, error));
    }
    newcomers = newcomers.filter(({ at }) => !refused.has(at));
    for (const [i, stranger] of findStrangers(newcomers, threshold)) {
      const { at } = newcomers[i];
      refused.set(at, notTheSame(stranger, { faceid, threshold, place: faces[at].place }));
    }
    return refused;
  };
}

/** @param place of the picture in the call that brought it, from 0 */
function notTheSame(
  { distance, face, undecided, isCorrected = false }: Stranger,
  { faceid, threshold, place }: { faceid: string; threshold: number; place: number | undefined },
): KaomonError {
  let sentence = 'This picture shows somebody else than the others: leave it out, or say that it is meant.';
  if (undecided)
    sentence =
      'These pictures show different people, and nobody can tell which one is meant: send those of one person, or say that they are meant.';
  else if (isCorrected)
    sentence = `Somebody said of a face like this that it is not ${faceid}'s: enrol it for somebody else, take the correction back, or say that it is meant.`;
  else if (face !== undefined)
    sentence = `This face is not like those that are enrolled as ${faceid}: enrol it for somebody else, delete the pictures there that are wrong, or say that it is meant.`;
  const details = {
    faceid,
    face,
    picture: place,
    distance: rounded(distance),
    threshold: rounded(threshold),
  };
  return new KaomonError('NOT_THE_SAME_PERSON', sentence, {
    details: { ...details, undecided: undecided || undefined, corrected: isCorrected || undefined },
  });
}

const rounded = (distance: number) => Math.round(distance * 1e4) / 1e4;
