import path from 'node:path';
import type { Base, BaseVectors } from '../base/base.js';
import { openMappedVectors, segmentsRefusal } from '../base/mapped-vectors.js';
import { openNewest, type Snapshot, type SnapshotPlace } from './catalogue.js';
import { LISTS, VECTORS } from './format.js';

/** How often another snapshot is opened where the newest vanishes meanwhile. */
const ATTEMPTS = 3;

/**
 * The newest snapshot as a base, the caller's to close; undefined when there is none, or none can be mapped here.
 * @param warn told of what is damaged
 */
export async function openBase(
  place: SnapshotPlace,
  warn: (message: string) => void,
): Promise<Base | undefined> {
  if (segmentsRefusal() !== undefined) return undefined;
  let tried: number | undefined;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const snapshot = await openNewest(place, warn);
    if (!snapshot) return undefined;
    try {
      const vectors = await openVectors(snapshot, place, warn);
      return { people: snapshot.people, vectors, close: () => vectors.close() };
    } catch (error) {
      // Perhaps a newer one was finished, and this one removed.
      if (tried === snapshot.number || attempt === ATTEMPTS) {
        warn(`The snapshot ${snapshot.number} cannot be mapped and is not used: ${String(error)}`);
        return undefined;
      }
      tried = snapshot.number;
    }
  }
  return undefined;
}

async function openVectors(
  { folder, manifest }: Snapshot,
  { length, lists: mayList = true }: SnapshotPlace,
  warn: (message: string) => void,
): Promise<BaseVectors> {
  const { rows, lists } = manifest;
  if (rows === 0) return NO_VECTORS;
  const matrix = { vectorsFile: path.join(folder, VECTORS), length, rows };
  if (!lists || !mayList) return openMappedVectors(matrix);
  try {
    return await openMappedVectors({ ...matrix, listsFile: path.join(folder, LISTS) });
  } catch (error) {
    const vectors = await openMappedVectors(matrix);
    // The next one that is made compares their checksum.
    warn(`The lists of a snapshot cannot be used, so that searches read all vectors: ${String(error)}`);
    return vectors;
  }
}

/** Of nobody: an empty file cannot be mapped. */
const NO_VECTORS: BaseVectors = {
  kind: 'flat',
  rows: 0,
  recall: 1,
  search: () => Promise.resolve({ rows: new Uint32Array(0), distances: new Float32Array(0) }),
  remove: () => undefined,
  vectorAt(row) {
    throw new RangeError(`There is no row ${row}.`);
  },
  copyRows({ first, end }) {
    if (first !== end) throw new RangeError(`There is no row ${first}.`);
  },
  close: () => Promise.resolve(),
};
