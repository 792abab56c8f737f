import type { ComponentContext } from '../context.js';
import { createFetcher, type DownloadSettings } from './download.js';
import { createPackageFetcher, type RegistrySettings } from './registry.js';

/** The functions that a {@link ComponentContext} takes to fetch weights: both, for every program that may. */
export type Fetchers = Required<Pick<ComponentContext, 'fetchSource' | 'fetchPackage'>>;

/** Makes both from the same settings. What cannot be reached is tried only once, even for several files. */
export function createFetchers(settings: DownloadSettings & Pick<RegistrySettings, 'env'> = {}): Fetchers {
  const { env, hurry } = settings;
  return {
    fetchSource: createFetcher(settings),
    fetchPackage: createPackageFetcher({ env, hurry }),
  };
}
