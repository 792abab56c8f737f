/** Preloaded by native/check.mjs: addons are loaded from the folder KAOMON_CHECKED, in every thread. */
import Module from 'node:module';
import path from 'node:path';
import { filesBelow } from '../scripts/support.mjs';

const checked = new Map(
  filesBelow(process.env.KAOMON_CHECKED ?? '')
    .filter((file) => file.endsWith('.node'))
    .map((file) => [path.basename(file), file]),
);
/** @type {Record<string, (module: unknown, file: string) => void>} */
const extensions = /** @type {any} */ (Module)._extensions;
const load = extensions['.node'];
extensions['.node'] = (module, file) => load(module, checked.get(path.basename(file)) ?? file);
