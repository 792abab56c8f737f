import { checkCount, checkVector } from '../index/vector-index.js';
import type { BaseVectors, Range } from './base.js';
import { segmentsAddon, segmentsRefusal } from './segments-addon.js';

export { segmentsRefusal } from './segments-addon.js';

export interface MappedVectorsOptions {
  /** `rows` x `length` float32 and nothing else. */
  vectorsFile: string;
  /** Numbers in a vector. */
  length: number;
  rows: number;
  /** As `trainLists` writes it; default: every search is exact and reads all rows. */
  listsFile?: string;
  /** Lists that a search reads; default: as many as were measured when they were made. */
  nprobe?: number;
}

/**
 * The vectors of a snapshot, mapped: all processes of a machine share them, and with lists most of them stay on the disk.
 * @throws Error when native/segments was not compiled (see {@link segmentsRefusal}), and with the reason when a file
 *   cannot be read, is cut, damaged or of other vectors
 */
export async function openMappedVectors(options: MappedVectorsOptions): Promise<BaseVectors> {
  const { vectorsFile, length, rows, listsFile, nprobe } = options;
  if (!segmentsAddon) throw new Error(segmentsRefusal());
  const matrix = new segmentsAddon.MappedVectors(vectorsFile, length, rows);
  let recall = 1;
  let closed: Promise<void> | undefined;
  if (listsFile !== undefined) {
    try {
      ({ recall } = await matrix.openLists(listsFile));
      if (nprobe !== undefined) matrix.setNprobe(nprobe);
    } catch (error) {
      await matrix.close();
      throw error;
    }
  }

  return {
    kind: listsFile === undefined ? 'flat' : 'ivf-sq8',
    rows,
    recall,

    search(query, k, ranges, isOfMany = false) {
      checkVector(query, length);
      checkCount(k);
      return matrix.search(query, k, ranges && packed(ranges), isOfMany ? 1 : undefined);
    },

    remove({ first, end }) {
      matrix.remove(first, end - first);
    },

    vectorAt: (row) => matrix.vectorAt(row),

    copyRows: ({ first, end }, into, at) => matrix.copyRows(first, end - first, into, at),

    close: () => (closed ??= matrix.close()),
  };
}

/** As the addon takes them; it checks whether they ascend. */
function packed(ranges: readonly Range[]): Int32Array {
  const numbers = new Int32Array(ranges.length * 2);
  for (const [i, { first, end }] of ranges.entries()) {
    numbers.set([first, end], 2 * i);
    if (numbers[2 * i] !== first || numbers[2 * i + 1] !== end)
      throw new RangeError(`No range of rows: ${first} to ${end}.`);
  }
  return numbers;
}
