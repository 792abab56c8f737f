import { availableParallelism } from 'node:os';
import { onAbort } from '../../platform/abort.js';
import { segmentsAddon, segmentsRefusal } from './segments-addon.js';

/** From this many rows on lists are worth their file: an exact search reads 100 MB of vectors of 512 numbers there. */
export const LISTS_FROM = 50_000;

/** The other half is left to the pictures. */
const THREADS = Math.max(1, Math.floor(availableParallelism() / 2));

/** So many that twice the time for the last percent would be felt: 16 ms instead of 8 at ten million rows of 128 numbers. */
const MANY = 4_000_000;

export interface TrainListsOptions {
  vectorsFile: string;
  /** Numbers in a vector. */
  length: number;
  /** 1 or more. */
  rows: number;
  /** Written anew. It is whole, and on the disk, once the training resolves. */
  listsFile: string;
  /** How many; default: as suits the number of rows. */
  lists?: number;
  /** Default: half of the cores. */
  threads?: number;
  /** A search reads as many lists as find the nearest row so often. Default: 0.995; 0.98 from four million rows on. */
  recall?: number;
  /**
   * An older file of lists whose centres are taken over, which is several times faster, unless it is missing, damaged or
   * of other vectors, or the number of rows has doubled or halved since its centres were found.
   */
  from?: string;
  /** Ends the training soon: it rejects. */
  signal?: AbortSignal;
  /** Called about once a second. @param share of the work that is done, 0 to 1 */
  onProgress?: (share: number) => void;
}

export interface TrainedLists {
  lists: number;
  /** Lists that a search reads. */
  nprobe: number;
  /** Recall at 1 against exact search, for other faces of people whose faces are among the rows. */
  recall: number;
  /** Whether the centres are those of `from`. */
  reused: boolean;
}

/**
 * Sorts the vectors of a snapshot into lists and measures how many of them a search must read. Off the main thread, with
 * memory that hardly grows with the number of rows; the same input gives the same file.
 * @throws Error when native/segments was not compiled, a file cannot be read or written, or the training was cancelled:
 *   then no file is left
 */
export async function trainLists(options: TrainListsOptions): Promise<TrainedLists> {
  const {
    vectorsFile,
    length,
    rows,
    listsFile,
    lists,
    threads = THREADS,
    from,
    signal,
    onProgress,
  } = options;
  const { recall = rows < MANY ? 0.995 : 0.98 } = options;
  if (!segmentsAddon) throw new Error(segmentsRefusal());
  signal?.throwIfAborted();
  const training = new segmentsAddon.ListTraining(
    vectorsFile,
    length,
    rows,
    listsFile,
    lists ?? listsFor(rows),
    threads,
    recall,
    from ?? '',
  );
  const stopListening = onAbort(signal, () => {
    training.cancel();
  });
  const timer = onProgress && setInterval(() => onProgress(training.progress()), 1000);
  try {
    return await training.run();
  } finally {
    clearInterval(timer);
    stopListening();
  }
}

/** So few vectors in a list that its centre is near each of them, as long as comparing all centres is not the larger part. */
const VECTORS_A_LIST = 32;
const LISTS_A_ROOT = 24;

/** How many lists suit so many rows (measured with one face a person, which is the hardest case: nobody has neighbours). */
function listsFor(rows: number): number {
  return Math.max(1, Math.round(Math.min(rows / VECTORS_A_LIST, LISTS_A_ROOT * Math.sqrt(rows))));
}
