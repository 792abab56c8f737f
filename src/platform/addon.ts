import { createRequire } from 'node:module';
import path from 'node:path';
import { PROJECT_ROOT } from './root.js';

/**
 * An addon of `native/`, as `npm run setup` compiled it.
 * @returns undefined where it was not compiled: every caller can do without
 */
export function loadAddon(name: 'detector' | 'memory' | 'pixels' | 'segments'): unknown {
  try {
    return createRequire(import.meta.url)(path.join(PROJECT_ROOT, 'dist', 'native', `${name}.node`));
  } catch {
    return undefined;
  }
}
