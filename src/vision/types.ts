import type { Alignment } from '../models/types.js';

/** A decoded picture, upright (EXIF orientation applied). */
export interface Picture {
  /** RGB, interleaved, `width * height * 3` bytes. Owned by whoever decoded it; detectors only read it. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Of a JPEG: the quantisation step of its lowest frequencies, grey levels, 1 to some 200 (jpeg.ts). */
  readonly quantisation?: number | undefined;
  /** Its number among the pictures that its thread decoded, by which caches recognise it; undefined for a drawing. */
  readonly number?: number;
}

/** Corners in pixels of the upright picture; may reach outside it. */
export interface Box {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

/** Five points, `[x0, y0, ... x4, y4]` in pixels: left eye, right eye (as seen), nose, left, right mouth corner. */
export type Landmarks = Float32Array;

/** A face that a detector found. */
export interface Detection {
  box: Box;
  /** 0 to 1. */
  probability: number;
  landmarks: Landmarks | undefined;
  /** The 68 points `[x, y] * 68` in pixels, where the detector's landmark network gives them. */
  landmarks68?: Float32Array | undefined;
  /** Where it is not the right way up: how it was read in a square turned with it (detectors/turned.ts). */
  turned?: TurnedFace;
  /** Which way up it is could not be found: its landmarks are meaningless. */
  isUnread?: boolean;
}

/** picture = [a -b; b a] crop + (x, y), in pixels; in both, whole coordinates are the middles of pixels. */
export interface Similarity {
  a: number;
  b: number;
  x: number;
  y: number;
}

/** A square around a face, turned so that the face is upright in it. */
export interface TurnedSquare {
  /** Degrees clockwise. */
  degrees: number;
  /** Pixels along its side. */
  side: number;
  /** Where its pixels lie in the picture. */
  toPicture: Similarity;
}

/** Why a face is unfit to be identified (fitness.ts, docs/quality.md). */
export const UNFIT = ['turned', 'too_small', 'too_blurred'] as const;
export type Unfit = (typeof UNFIT)[number];

/** A face that is upright in a turned square; `face` is in pixels of that square. */
export interface TurnedFace {
  square: TurnedSquare;
  face: Detection;
}

/** How fit a face is for enrolment. */
export interface Quality {
  /** Shorter side of the box, pixels. */
  size: number;
  /** Variance of the Laplacian of the grey face crop resized to the embedder's input; under about 30 is blurred. */
  sharpness: number;
  /** Mean grey level of the crop, 0 to 255. */
  brightness: number;
  /** Estimated head turn in degrees from the landmarks, positive to the face's left; undefined without landmarks. */
  yaw?: number;
  pitch?: number;
  roll?: number;
}

/** One face of an {@link Analysis}. */
export interface AnalysedFace {
  box: Box;
  probability: number;
  landmarks: Landmarks | undefined;
  /** Unit length; undefined unless embeddings were asked for. */
  embedding?: Float32Array;
  /** Of faces that were embedded, and of all when it was asked for. */
  quality?: Quality;
  /** Why it is unfit to be identified; undefined when it is fit, or was not measured. */
  unfit?: Unfit;
  age?: number;
  gender?: { value: 'male' | 'female'; probability: number };
  /** The crop the embedder saw, as PNG; undefined unless asked for. */
  crop?: Uint8Array;
  /**
   * The same as RGB, interleaved, a square: for whoever wants few of many, since a PNG costs more than following a face does.
   * Only where asked for, of faces that were embedded and are fit.
   */
  aligned?: Uint8Array;
  /** Which of `track.faces` it is; undefined for a new face. */
  known?: number;
  /** To be passed back in a {@link KnownFace}; only with `track` (track.ts). */
  thumbnail?: Float32Array;
}

/** A face of an earlier frame, to be followed. */
export interface KnownFace {
  /** In the previous frame. */
  box: Box;
  probability: number;
  landmarks: Landmarks | undefined;
  /** Embed it again. */
  embed: boolean;
  /** From its last embedding: a face that has changed since is also embedded again. */
  thumbnail?: Float32Array | undefined;
}

/** Where a frame's time went, milliseconds. */
export interface StageTimes {
  /** Waiting for a free vision thread. */
  queue: number;
  decode: number;
  detect: number;
  /** Crop and embed, all faces. */
  embed: number;
}

/** The faces of a picture, largest first. */
export interface Analysis {
  /** Of the upright picture. */
  width: number;
  height: number;
  faces: AnalysedFace[];
  /** At least how many smaller faces, beyond the setting `MAX_FACES`, were found and left out. */
  leftOut?: number;
  times: StageTimes;
  /** The frame in 32 x 18 grey levels, to see what moved; only with `track`. */
  scene?: Uint8Array;
  /** For `track.quiet` of the next frames; only with `track.keepEmpty`, where a search of the whole frame found nobody. */
  empty?: EmptyScene | undefined;
  /** Whether the whole frame was searched; only with `track`. */
  searched?: boolean;
}

/** A JPEG's brightness in few cells (jpeg-scene.ts). */
export interface CellScene {
  /** Of the stored picture, which may lie on its side. */
  width: number;
  height: number;
  /** Mean grey level of each cell, row by row. */
  cells: Uint8Array;
}

/** A frame in which nobody was, in few grey levels: to see whether a later one shows the same. */
export interface EmptyScene {
  /** Of the upright picture. */
  width: number;
  height: number;
  /** From its pixels. */
  scene: Uint8Array;
  /** From its coefficients; undefined where it is no JPEG, or none whose coefficients are read (jpeg-scene.ts). */
  coefficients: CellScene | undefined;
}

/** How a stored crop was cut for its pack's embedder. */
export interface KeptCut {
  alignment: Alignment;
  /** For `chip`, as ReadyEmbedder.padding. */
  padding?: number;
}

/** What to look for, and how hard. */
export interface AnalyzeOptions {
  /** Compute embeddings. Default true. */
  embed?: boolean;
  /** For enrolment: make each embedding the mean over the pack's views (ReadyEmbedder.views). Default: only the plain crop's. */
  views?: boolean;
  /** The most faces to embed and answer, the largest ones. Default: all. */
  maxFaces?: number;
  /** Shorter side of the smallest face to look for and to answer, pixels. Default: the setting `MIN_FACE_SIZE`. */
  minFaceSize?: number;
  /** Smallest probability of a detection, 0 to 1. Default: the detector's own. */
  minProbability?: number;
  /** The picture is a stored crop: it holds one face, whose place is known from the crop if it is not detected (kept-face.ts). */
  kept?: KeptCut;
  quality?: boolean;
  crops?: boolean;
  aligned?: boolean;
  ageGender?: boolean;
  /** Who asks: pictures of one caller wait for each other, those of several take turns. Default: ''. */
  caller?: string;
  /** Aborted when the answer is no longer wanted: waiting work is dropped, running work ends after its stage. */
  signal?: AbortSignal;
  /**
   * The picture is a camera's frame, and these faces were in the previous one. They are looked for near their last places,
   * which costs a fraction of a search; with `search` the whole frame is searched for new faces as well. Only new faces,
   * changed ones and those with `embed` are embedded. No state is held between calls. A search that finds nobody makes a
   * second pass for a face that fills the frame, unless `closeUps` is false. With `quiet`, an earlier frame in
   * which nobody was, the frame is searched, and as a JPEG even decoded, only where it differs from that.
   */
  track?: {
    faces: readonly KnownFace[];
    search: boolean;
    closeUps?: boolean;
    quiet?: EmptyScene | undefined;
    keepEmpty?: boolean;
  };
}

/** The options for a vision thread, which gets `AskedPicture.stop` instead of the signal. */
export type ThreadOptions = Omit<AnalyzeOptions, 'caller' | 'signal'>;

/** The main thread's view of the vision threads. Made by `createVisionPool`. */
export interface VisionPool {
  /**
   * Decodes, detects and embeds on a vision thread.
   * @param bytes an encoded picture; do not read it afterwards: its buffer is transferred unless it holds something else
   * @throws KaomonError IMAGE_FORMAT_UNKNOWN, IMAGE_UNREADABLE, IMAGE_TOO_LARGE, BUSY (queue full),
   *   TOO_MANY_REQUESTS (the caller's share of it is), CLIENT_GONE (by the signal), CLOSING
   */
  analyze(bytes: Uint8Array, options?: AnalyzeOptions): Promise<Analysis>;
  info(): VisionInfo;
  /** Lets running and queued work finish, then ends the threads. Never during a run: ONNX Runtime would abort. */
  close(): Promise<void>;
}

/** For health, metrics and the status page. */
export interface VisionInfo {
  threads: number;
  /** Tasks waiting for a thread. */
  queued: number;
  running: number;
  /** The ONNX Runtime execution provider in use: `cpu`, `cuda`, `webgpu`. */
  provider: string;
  /** Why preferred providers are not used, in the order they were tried. */
  refusedProviders: { provider: string; reason: string }[];
  /** What runs the detector's networks: `onnx` for ONNX Runtime, or the registers that our own loops use: `avx512`, ... */
  kernels?: string;
  /** How many threads have ended unexpectedly since the start. */
  deaths?: number;
  /** Where the settings could not be followed, for an administrator. */
  note?: string;
}
