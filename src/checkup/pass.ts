import type { Gallery, Match, Person } from '../gallery/types.js';
import { throwIfGone } from '../platform/errors.js';
import { nextTurn } from '../platform/turns.js';
import { createShortlist } from './shortlist.js';
import { MOST_PICTURES, type Nearest, nearestAmong, type OwnFace, partsOf } from './person.js';
import { count, emptyTally } from './tally.js';
import {
  type Disagreement,
  type Findings,
  MOST_LISTED,
  type NearPair,
  type OddPicture,
  type WeakPicture,
} from './types.js';

/** People whose nearest neighbours are looked at for each picture: the person, and three who may be the same. */
const NEIGHBOURS = 4;
/** Pairs that are kept until the end: with far too loose a threshold everybody is near to everybody. */
const MOST_PAIRS = 20_000;

export interface PassDeps {
  gallery: Pick<Gallery, 'everyone' | 'vectors' | 'copyVectors' | 'nearest'>;
  /** Does one search in its turn. */
  inTurn: <R>(work: () => Promise<R>) => Promise<R>;
  /** Squared L2: a face is named below it. */
  threshold: number;
  /** Two pictures are of two people from this distance on. */
  apart: number;
  /** Numbers in a vector. */
  length: number;
  signal: AbortSignal;
  /** Told after each person. */
  onPerson: (done: number) => void;
  /** Waits between two people, so that the machine is not kept busy. @param worked milliseconds */
  rest: (worked: number) => Promise<void>;
}

/**
 * Looks at everybody once, a person at a time: how the pictures agree, and who else is near. Whoever changes meanwhile is
 * seen as they are or as they were.
 * @throws KaomonError CLIENT_GONE when it is cancelled, STORE_UNAVAILABLE
 */
export async function passOver(deps: PassDeps): Promise<Findings> {
  const { gallery, threshold, apart, signal, onPerson, rest } = deps;
  const tally = emptyTally();
  const disagreeing = createShortlist<Disagreement>(({ pictures }) => -Math.max(...distancesOf(pictures)));
  const weak = createShortlist<WeakPicture>(({ distance }) => -distance);
  const pairs = createPairs();
  let people = 0;
  let pictures = 0;

  for await (const person of gallery.everyone({ pictures: 'some', signal })) {
    const began = performance.now();
    const faces = await facesOf(deps, person);
    const others: (Match | undefined)[] = [];
    for (const face of faces) {
      throwIfGone(signal);
      const near = await deps.inTurn(() => gallery.nearest(face.vector, NEIGHBOURS));
      const strangers = near.filter((match) => match.person.faceid !== person.faceid);
      others.push(strangers.at(0));
      for (const match of strangers) if (match.distance < threshold) pairs.note(person, face, match);
    }
    await nextTurn();
    const all = [...faces.keys()];
    const own = all.map((at) => nearestAmong(faces, at, all));
    for (const at of all) count(tally, own[at]?.distance, others[at]?.distance);
    const describe = (at: number, nearest: Nearest): OddPicture => {
      const other = others[at];
      const isNearer = other !== undefined && other.distance < threshold && other.distance < nearest.distance;
      return {
        face: faces[at].id,
        nearest: faces[nearest.at].id,
        distance: nearest.distance,
        ...(isNearer && {
          other: { faceid: other.person.faceid, face: other.face.id, distance: other.distance },
        }),
      };
    };
    const found = disagreementOf(person, faces, apart, describe);
    if (found) disagreeing.add(found);
    const odd = new Set(found?.pictures.map(({ face }) => face));
    for (const at of all) {
      const nearest = own[at];
      if (!nearest || odd.has(faces[at].id)) continue;
      const picture = describe(at, nearest);
      if (picture.other) weak.add({ ...picture, faceid: person.faceid, reason: 'nearer-to-another' });
      else if (nearest.distance >= threshold)
        weak.add({ ...picture, faceid: person.faceid, reason: 'far-from-own' });
    }
    people += 1;
    pictures += faces.length;
    onPerson(people);
    await rest(performance.now() - began);
  }
  return {
    ...{ threshold, apart, people, pictures, tally },
    disagreeing: disagreeing.list(),
    pairs: pairs.list(),
    weak: weak.list(),
    totals: { disagreeing: disagreeing.total(), pairs: pairs.total(), weak: weak.total() },
  };
}

const distancesOf = (pictures: readonly OddPicture[]) => pictures.map(({ distance }) => distance);

/** A person's vectors, from memory where they are there; of those who have very many only the newest. */
async function facesOf(
  { gallery, length }: Pick<PassDeps, 'gallery' | 'length'>,
  { faceid, faces }: Person,
): Promise<OwnFace[]> {
  const newest = (all: OwnFace[]) => all.slice(-MOST_PICTURES);
  const ids = faces.map(({ id }) => id);
  const matrix = new Float32Array(ids.length * length);
  if (gallery.copyVectors([{ faceid, ids, at: 0 }], matrix)[0])
    return newest(ids.map((id, i) => ({ id, vector: matrix.subarray(i * length, (i + 1) * length) })));
  // Whoever was deleted meanwhile has none.
  const stored = await gallery.vectors(faceid).catch((error: unknown) => {
    if (isUnknown(error)) return [];
    throw error;
  });
  return newest(stored.map(({ face, vector }) => ({ id: face.id, vector })));
}

const isUnknown = (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === 'PERSON_UNKNOWN';

/** Two people each, at their two nearest pictures. */
function createPairs() {
  const nearest = new Map<string, NearPair>();
  let total = 0;

  const sorted = () => [...nearest.values()].sort((a, b) => a.distance - b.distance);

  return {
    note(person: Person, face: OwnFace, { person: other, face: theirs, distance }: Match): void {
      const isFirst = person.faceid < other.faceid;
      const faceids: NearPair['faceids'] = isFirst
        ? [person.faceid, other.faceid]
        : [other.faceid, person.faceid];
      const key = faceids.join(' ');
      const known = nearest.get(key);
      if (known && known.distance <= distance) return;
      if (!known) total += 1;
      const faces: NearPair['faces'] = isFirst ? [face.id, theirs.id] : [theirs.id, face.id];
      nearest.set(key, { faceids, faces, distance });
      if (nearest.size <= MOST_PAIRS) return;
      const kept = sorted().slice(0, MOST_PAIRS / 2);
      nearest.clear();
      for (const pair of kept) nearest.set(pair.faceids.join(' '), pair);
    },
    list: () => sorted().slice(0, MOST_LISTED),
    total: () => total,
  };
}

function disagreementOf(
  { faceid }: Person,
  faces: readonly OwnFace[],
  apart: number,
  describe: (at: number, nearest: Nearest) => OddPicture,
): Disagreement | undefined {
  const parts = partsOf(faces, apart);
  if (parts.length < 2) return undefined;
  const undecided = parts[1].length === parts[0].length;
  const pictures = parts.slice(undecided ? 0 : 1).flatMap((part) => {
    const others = undecided ? parts.filter((other) => other !== part).flat() : parts[0];
    return part.flatMap((at) => {
      const nearest = nearestAmong(faces, at, others);
      return nearest ? describe(at, nearest) : [];
    });
  });
  return { faceid, undecided, pictures };
}
