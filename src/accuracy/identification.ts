/** Open-set identification, 1:N (ISO/IEC 19795-1, NIST's FRTE): which enrolled person is this, if any? */
import { createRandom, drawSome } from './bootstrap.js';
import { dot, type Faces, type Visitor } from './faces.js';

/** How the distance of a person to a probe is taken. */
export const REFERENCES = ['nearest', 'template', 'both'] as const;
/** To the nearest enrolled face; to the template; to the nearer of the two, as the server does. */
export type Reference = (typeof REFERENCES)[number];

/** The size of a gallery to search. */
export interface GallerySize {
  people: number;
  /** Enrolled faces per person. */
  faces: number;
  /** Strangers who are enrolled too, with one face each: they make the gallery larger and are not searched for. */
  filling: number;
}

/** How many faces a gallery has. */
export const facesIn = ({ people, faces, filling }: GallerySize): number => people * faces + filling;

/** The results of searching galleries of one size; each gallery has other people. */
export interface Searches {
  size: GallerySize;
  galleries: number;
  /** Searches for people who are not enrolled: the unit, and the distance to the nearest person, by {@link REFERENCES}. */
  nonMated: { units: Int32Array; distances: readonly Float32Array[] };
  /** Searches for enrolled people: the unit, the distance to the right person, and to the nearest other one. */
  mated: { units: Int32Array; own: readonly Float32Array[]; other: readonly Float32Array[] };
}

const GALLERIES = 10;
const SEED = 4711;
/** At most this fraction of the strangers fills galleries: the others are searched for. */
const FILLING = 0.5;

/**
 * How many strangers may fill galleries: the first ones, as long as each has a single picture. (Of people with several
 * pictures, one would be enrolled while the others are searched for.)
 */
export function fillingRows({ count, people, label }: Faces): number {
  const pictures = new Map<number, number>();
  for (const who of label) pictures.set(who, (pictures.get(who) ?? 0) + 1);
  let alone = people;
  while (alone < count && pictures.get(label[alone]) === 1) alone += 1;
  return Math.min(alone - people, Math.floor((count - people) * FILLING));
}

/**
 * The gallery sizes that the pictures allow: a quarter, half and all of the people, and all with half of the strangers.
 * @param mostFaces the most faces to enrol per person, at least 1
 */
export function gallerySizes(faces: Faces, mostFaces = 3): GallerySize[] {
  const hasStrangers = faces.count > faces.people;
  return Array.from({ length: mostFaces }, (_, i) => i + 1).flatMap((each) => {
    const most = eligiblePeople(faces, each).length;
    // Without strangers those who are not enrolled are searched for.
    const parts = hasStrangers ? [0.25, 0.5, 1] : [0.25, 0.5];
    const counts = [...new Set(parts.map((part) => Math.floor(part * most)))].filter((people) => people > 0);
    const sizes = counts.map((people) => ({ people, faces: each, filling: 0 }));
    const filling = fillingRows(faces);
    return most > 0 && filling > 0 ? [...sizes, { people: most, faces: each, filling }] : sizes;
  });
}

/** The rows of each person with at least that many faces and one more to search with. */
function eligiblePeople({ people, label, missing }: Faces, faces: number): number[][] {
  const rows = new Map<number, number[]>();
  for (let row = 0; row < people; row++) {
    const own = rows.get(label[row]);
    if (own) own.push(row);
    else rows.set(label[row], [row]);
  }
  return [...rows].flatMap(([who, own]) => {
    const faceless = missing.filter((one) => one.label === who).length;
    return own.length >= faces && own.length + faceless > faces ? [own] : [];
  });
}

/** One gallery while it is searched. */
interface Gallery {
  /** The rows that are enrolled: `faces` rows of each person, then those of the strangers who fill it. */
  rows: Int32Array;
  /** For each person, 1 / the length of the sum of their embeddings. */
  scale: Float64Array;
  /** For each row of {@link Faces}, the index of its person in the gallery; -1 when not enrolled. */
  placeOf: Int32Array;
  isEnrolled: Uint8Array;
}

/** Collects the results for galleries of one size while `compareAll` goes through the probes. */
export function gatherSearches(faces: Faces, size: GallerySize): { visit: Visitor; finish: () => Searches } {
  // Even when everybody is enrolled, the galleries differ in which faces are.
  const galleries = Array.from({ length: GALLERIES }, (_, i) => drawGallery(faces, size, SEED + i));
  const columns = () => REFERENCES.map((): number[] => []);
  const nonMated = { units: [] as number[], distances: columns() };
  const mated = { units: [] as number[], own: columns(), other: columns() };
  const own = new Float64Array(REFERENCES.length);
  const other = new Float64Array(REFERENCES.length);

  /** The distance to one person by each reference, where it is less than the least so far. */
  function offer(
    gallery: Gallery,
    place: number,
    each: number,
    at: number,
    row: Float32Array,
    into: Float64Array,
  ) {
    let nearest = Infinity;
    let sum = 0;
    for (let i = 0; i < each; i++) {
      const distance = row[gallery.rows[at + i]];
      if (distance < nearest) nearest = distance;
      sum += 1 - distance / 2;
    }
    const template = 2 - 2 * sum * gallery.scale[place];
    if (nearest < into[0]) into[0] = nearest;
    if (template < into[1]) into[1] = template;
    const both = Math.min(nearest, template);
    if (both < into[2]) into[2] = both;
  }

  function search(gallery: Gallery, probe: number, row: Float32Array): void {
    if (gallery.isEnrolled[probe]) return;
    const mine = gallery.placeOf[probe];
    own.fill(Infinity);
    other.fill(Infinity);
    for (let place = 0; place < size.people; place++) {
      offer(gallery, place, size.faces, place * size.faces, row, place === mine ? own : other);
    }
    for (let i = 0; i < size.filling; i++) {
      offer(gallery, size.people + i, 1, size.people * size.faces + i, row, other);
    }
    const kept = mine < 0 ? nonMated : mated;
    kept.units.push(faces.unit[probe]);
    REFERENCES.forEach((_, i) => {
      if (mine < 0) nonMated.distances[i].push(other[i]);
      else {
        mated.own[i].push(own[i]);
        mated.other[i].push(other[i]);
      }
    });
  }

  return {
    visit(probe, row) {
      for (const gallery of galleries) search(gallery, probe, row);
    },
    finish() {
      // A picture of an enrolled person in which no face is found is a miss.
      for (const { placeOf } of galleries) {
        const enrolled = new Set(faces.label.filter((_, row) => placeOf[row] >= 0));
        for (const { unit } of faces.missing.filter(({ label }) => enrolled.has(label))) {
          mated.units.push(unit);
          for (const column of [...mated.own, ...mated.other]) column.push(Infinity);
        }
      }
      const flat = (lists: number[][]) => lists.map((list) => Float32Array.from(list));
      return {
        size,
        galleries: galleries.length,
        nonMated: { units: Int32Array.from(nonMated.units), distances: flat(nonMated.distances) },
        mated: { units: Int32Array.from(mated.units), own: flat(mated.own), other: flat(mated.other) },
      };
    },
  };
}

function drawGallery(faces: Faces, { people, faces: each, filling }: GallerySize, seed: number): Gallery {
  const random = createRandom(seed);
  const chosen = drawSome(eligiblePeople(faces, each), people, random);
  const rows = new Int32Array(people * each + filling);
  const scale = new Float64Array(people + filling).fill(1);
  const placeOf = new Int32Array(faces.count).fill(-1);
  const isEnrolled = new Uint8Array(faces.count);
  chosen.forEach((own, place) => {
    for (const row of own) placeOf[row] = place;
    const enrolled = drawSome(own, each, random);
    rows.set(enrolled, place * each);
    scale[place] = 1 / lengthOfSum(faces, enrolled);
  });
  for (let i = 0; i < filling; i++) rows[people * each + i] = faces.people + i;
  for (const row of rows) isEnrolled[row] = 1;
  return { rows, scale, placeOf, isEnrolled };
}

function lengthOfSum({ enrolled, length }: Faces, rows: readonly number[]): number {
  let square = 0;
  for (const a of rows) {
    for (const b of rows) square += dot(enrolled, a * length, enrolled, b * length, length);
  }
  return Math.sqrt(square);
}
