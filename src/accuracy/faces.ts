/** The embeddings to compare, and whose they are, in flat arrays. */

/** One row for each picture in which a face was found. */
export interface Faces {
  readonly count: number;
  /** Numbers in an embedding. */
  readonly length: number;
  /** Embeddings as they would be enrolled; `count * length`, unit vectors. */
  readonly enrolled: Float32Array;
  /** Embeddings as probes, of a single view. The same array where the pack enrols a single view, too. */
  readonly probes: Float32Array;
  /** Whose a row is: rows with the same label never count as different people. */
  readonly label: Int32Array;
  /** The unit that the bootstrap draws as a whole, 0 to `units - 1`. */
  readonly unit: Int32Array;
  readonly units: number;
  /** How many rows are people's; they come first, and the others are strangers'. */
  readonly people: number;
  /** Failures to acquire: pictures of people and strangers in which no face was found. */
  readonly missing: readonly { label: number; unit: number; isPerson: boolean }[];
}

/** One picture's embeddings. */
interface FaceRow {
  label: string;
  unit: string;
  isPerson: boolean;
  /** Undefined where no face was found. */
  enrolled: Float32Array | undefined;
  probe: Float32Array | undefined;
}

/**
 * @param rows people's first
 * @returns the faces, and for each the index of its row
 */
export function collectFaces(rows: readonly FaceRow[]): { faces: Faces; rowOf: Int32Array } {
  const numbers = () => {
    const known = new Map<string, number>();
    return (name: string) => {
      const number = known.get(name) ?? known.size;
      known.set(name, number);
      return number;
    };
  };
  const labelOf = numbers();
  const unitOf = numbers();
  const numbered = rows.map((row, index) => ({
    row,
    index,
    label: labelOf(row.label),
    unit: unitOf(row.unit),
    isPerson: row.isPerson,
  }));
  const isWhole = ({ row }: (typeof numbered)[number]) =>
    row.enrolled !== undefined && row.probe !== undefined;
  const found = numbered.filter(isWhole);
  const length = found.at(0)?.row.probe?.length ?? 0;
  const flat = (of: (row: FaceRow) => Float32Array | undefined) => {
    const all = new Float32Array(found.length * length);
    found.forEach(({ row }, i) => all.set(of(row) ?? [], i * length));
    return all;
  };
  const probes = flat(({ probe }) => probe);
  const isSame = found.every(({ row }) => row.enrolled === row.probe);
  return {
    rowOf: Int32Array.from(found, ({ index }) => index),
    faces: {
      count: found.length,
      length,
      probes,
      enrolled: isSame ? probes : flat(({ enrolled }) => enrolled),
      label: Int32Array.from(found, ({ label }) => label),
      unit: Int32Array.from(found, ({ unit }) => unit),
      units: new Set(numbered.map(({ unit }) => unit)).size,
      people: found.filter(({ isPerson }) => isPerson).length,
      missing: numbered
        .filter((one) => !isWhole(one))
        .map(({ label, unit, isPerson }) => ({ label, unit, isPerson })),
    },
  };
}

/** Gets the distances of one probe from enrolled rows 0, 1, 2 and so on. */
export type Visitor = (probe: number, distances: Float32Array) => void;

/**
 * Compares every probe with the enrolled rows, one probe after the other, so that little memory is needed.
 * @param enrollable how many of the first rows every probe is compared with; of the others, only those before the probe
 * @param onProbe called after each probe
 */
export function compareAll(
  faces: Faces,
  enrollable: number,
  visitors: readonly Visitor[],
  onProbe?: (done: number) => void,
): void {
  const { count } = faces;
  const rows = Array.from({ length: TOGETHER }, () => new Float32Array(count));
  for (let first = 0; first < count; first += TOGETHER) {
    const last = Math.min(first + TOGETHER, count) - 1;
    fillRows(faces, Math.max(enrollable, last), first, last, rows);
    for (let probe = first; probe <= last; probe++) {
      const distances = rows[probe - first].subarray(0, Math.max(enrollable, probe));
      for (const visit of visitors) visit(probe, distances);
      onProbe?.(probe + 1);
    }
  }
}

/** Probes that are compared at once, so that each enrolled row is read once for all of them. */
const TOGETHER = 4;

/** The distances of the probes `first` to `last` from the enrolled rows before `upTo`. */
function fillRows(
  faces: Faces,
  upTo: number,
  first: number,
  last: number,
  rows: readonly Float32Array[],
): void {
  const { enrolled, probes, length } = faces;
  const [row0, row1, row2, row3] = rows;
  // Past the end the last probe is compared again; nobody uses that result.
  const [p0, p1, p2, p3] = rows.map((_, i) => Math.min(first + i, last) * length);
  for (let row = 0; row < upTo; row++) {
    const from = row * length;
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let i = 0; i < length; i++) {
      const value = enrolled[from + i];
      s0 += value * probes[p0 + i];
      s1 += value * probes[p1 + i];
      s2 += value * probes[p2 + i];
      s3 += value * probes[p3 + i];
    }
    row0[row] = toDistance(s0);
    row1[row] = toDistance(s1);
    row2[row] = toDistance(s2);
    row3[row] = toDistance(s3);
  }
}

/** The squared L2 distance of unit vectors is 2 - 2 times their dot product; clamped to 0 to 4 against rounding. */
const toDistance = (product: number) => Math.min(4, Math.max(0, 2 - 2 * product));

/** Squared L2 distance of an enrolled row and a probe, 0 to 4. */
export function distanceOf({ enrolled, probes, length }: Faces, row: number, probe: number): number {
  return toDistance(dot(enrolled, row * length, probes, probe * length, length));
}

export function dot(a: Float32Array, from: number, b: Float32Array, at: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[from + i] * b[at + i];
  return sum;
}
