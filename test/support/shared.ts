import { existsSync } from 'node:fs';
import path from 'node:path';
import { PROJECT_ROOT } from '../../src/platform/root.js';

/**
 * The folder of reference data that may lie beside the checkout (photos, published weights, golden outputs). It is
 * no part of the project: a suite that needs it passes `{ skip: SHARED_MISSING }` and is named as left out.
 */
export const SHARED = path.resolve(PROJECT_ROOT, '..', 'shared');

/** False when the reference data is there, else the reason to skip. */
export const SHARED_MISSING: false | string = existsSync(path.join(SHARED, 'golden'))
  ? false
  : 'needs the reference data in ../shared, which is not here';

/** A file of the reference data. */
export function shared(...parts: string[]): string {
  return path.join(SHARED, ...parts);
}
