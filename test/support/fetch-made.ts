/** `node fetch-made.js MODELS SETTINGS`: a process that fetches the made weights, to be killed. */
import { ensureComponent } from '../../src/models/packs/component-store.js';
import { createPackageFetcher, type RegistrySettings } from '../../src/models/weights/registry.js';
import { madeComponent } from './made-packages.js';

const [, , modelsDir, settings] = process.argv;
const fetchPackage = createPackageFetcher(JSON.parse(settings) as RegistrySettings);
await ensureComponent(madeComponent(), { modelsDir, fetchPackage });
