import { segmentsRefusal } from './segments-addon.js';

/** From this many rows on a search by lists is worth its files. */
export const LISTS_FROM = 100_000;

export interface TrainListsOptions {
  vectorsFile: string;
  length: number;
  rows: number;
  listsFile: string;
  threads?: number;
  from?: string;
  signal?: AbortSignal;
  onProgress?: (share: number) => void;
}

export interface TrainedLists {
  lists: number;
  nprobe: number;
  recall: number;
  reused: boolean;
}

/** @throws Error when native/segments was not compiled */
export function trainLists(options: TrainListsOptions): Promise<TrainedLists> {
  return Promise.reject(new Error(`${options.listsFile}: ${segmentsRefusal() ?? ''}`));
}
