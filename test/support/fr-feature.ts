import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../../src/settings/config.js';
import { shared } from './shared.js';

const FILE = 'fr_feature.onnx';

/** The published network, where it is at hand: set-up keeps it among the models' sources. */
export const FR_FEATURE = [path.join(loadConfig({}).MODELS_DIR, 'sources'), shared('weights')]
  .filter((folder) => existsSync(folder))
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => path.join(folder, file)),
  )
  .find((file) => path.basename(file) === FILE);

/** False when it is there, else the reason to skip. */
export const FR_FEATURE_MISSING: false | string =
  FR_FEATURE === undefined && `needs ${FILE}, which is neither in models/sources nor in ../shared/weights`;
