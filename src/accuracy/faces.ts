/** The embeddings that are compared, and whose they are, in flat arrays. */

/** One row a picture in which a face was found. */
export interface Faces {
  readonly count: number;
  /** Numbers in an embedding. */
  readonly length: number;
  /** As they would be enrolled; `count * length`, unit vectors. */
  readonly enrolled: Float32Array;
  /** As a camera would see them: one look. The same array where the pack has no views. */
  readonly probes: Float32Array;
  /** Whose a row is, as a number: rows of one label are not compared as those of different people. */
  readonly label: Int32Array;
  /** What is drawn as a whole in the bootstrap: 0 to `units - 1`. */
  readonly unit: Int32Array;
  readonly units: number;
  /** The first so many rows are people's, the others strangers'. */
  readonly people: number;
  /** Pictures without a face, of people and of strangers: failures to acquire. */
  readonly missing: readonly { label: number; unit: number; isPerson: boolean }[];
}

/** A picture as {@link collectFaces} takes it. */
export interface FaceRow {
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
    ...{ row, index, label: labelOf(row.label), unit: unitOf(row.unit), isPerson: row.isPerson },
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
  const sameLooks = found.every(({ row }) => row.enrolled === row.probe);
  return {
    rowOf: Int32Array.from(found, ({ index }) => index),
    faces: {
      ...{ count: found.length, length, probes },
      enrolled: sameLooks ? probes : flat(({ enrolled }) => enrolled),
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

/** Takes the distances of one probe from the first so many enrolled rows. */
export type Visitor = (probe: number, distances: Float32Array) => void;

/**
 * Compares every probe with the enrolled rows, probe after probe, in memory of one row.
 * @param enrollable rows from 0 on that every probe is compared with; from the others only those before the probe
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

/** Probes that are compared in one go: each number of an enrolled row is fetched once for all of them. */
const TOGETHER = 4;

/** Distances of the probes `first` to `last` from the enrolled rows before `upTo`. */
function fillRows(
  faces: Faces,
  upTo: number,
  first: number,
  last: number,
  rows: readonly Float32Array[],
): void {
  const { enrolled, probes, length } = faces;
  const [row0, row1, row2, row3] = rows;
  // Beyond the last probe the last one is compared again, and not looked at.
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

/** Of unit vectors the squared L2 distance is 2 less twice their product; rounding must not lead out of 0 to 4. */
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
