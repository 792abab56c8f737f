import type { BaseVectors } from './base.js';
import { segmentsRefusal } from './segments-addon.js';

export { segmentsRefusal } from './segments-addon.js';

export interface MappedVectorsOptions {
  /** `rows` x `length` float32 and nothing else. */
  vectorsFile: string;
  /** Numbers in a vector. */
  length: number;
  rows: number;
  /** As `trainLists` writes it; default: every search is exact and reads all rows. */
  listsFile?: string;
}

/** @throws Error when native/segments was not compiled */
export function openMappedVectors(options: MappedVectorsOptions): Promise<BaseVectors> {
  return Promise.reject(new Error(`${options.vectorsFile}: ${segmentsRefusal() ?? ''}`));
}
