import { loadAddon } from '../../platform/addon.js';
import type { NearestRows } from './base.js';

/** Vectors in a file, searched on libuv's threads (native/segments). Invalid arguments throw a RangeError. */
export interface MappedMatrix {
  /** Searches that begin once it resolves read the lists. Rejects when the file is damaged or of other vectors. */
  openLists(file: string): Promise<{ lists: number; nprobe: number; recall: number }>;
  /** Lists that a search reads, instead of as many as the file says. */
  setNprobe(count: number): void;
  /** @param ranges first and end of each, ascending; default: all rows */
  search(query: Float32Array, k: number, ranges?: Int32Array, threads?: number): Promise<NearestRows>;
  remove(first: number, count: number): void;
  vectorAt(row: number): Float32Array;
  copyRows(first: number, count: number, into: Float32Array, at: number): void;
  close(): Promise<void>;
}

/** One training. */
export interface ListTraining {
  /** Once. */
  run(): Promise<{ lists: number; nprobe: number; recall: number; reused: boolean }>;
  /** The share that is done, 0 to 1. */
  progress(): number;
  cancel(): void;
}

export interface SegmentsAddon {
  map(file: string): ArrayBuffer;
  MappedVectors: new (file: string, length: number, rows: number) => MappedMatrix;
  /** `from`: empty for none. */
  ListTraining: new (
    vectorsFile: string,
    length: number,
    rows: number,
    listsFile: string,
    lists: number,
    threads: number,
    recall: number,
    from: string,
  ) => ListTraining;
}

/** Undefined where it was not compiled. */
export const segmentsAddon = loadAddon('segments') as SegmentsAddon | undefined;

/** Why no segments can be mapped here; undefined when they can. */
export function segmentsRefusal(): string | undefined {
  return segmentsAddon ? undefined : 'native/segments was not compiled: run "npm run setup"';
}
