import type { Alignment } from '../models/types.js';

/** A decoded picture, upright (EXIF orientation applied). */
export interface Picture {
  /** RGB, interleaved, `width * height * 3` bytes. Owned by whoever decoded it; detectors only read it. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Of a JPEG: the step by which its lowest frequencies are quantised, grey levels, 1 to some 200 (jpeg.ts). */
  readonly quantisation?: number | undefined;
  /** Which decoded picture of its thread it is, so that what was made of its pixels is known again; none: a drawing. */
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

/** One face as a detector finds it. */
export interface Detection {
  box: Box;
  /** 0 to 1. */
  probability: number;
  landmarks: Landmarks | undefined;
  /** The 68 points `[x, y] * 68` in pixels, where the detector's landmark network gives them. */
  landmarks68?: Float32Array | undefined;
  /** How it was read, where it is not the right way up: in a square turned with it (detectors/turned.ts). */
  turned?: TurnedFace;
  /** Nothing says which way up it is: its landmarks are invented. */
  isUnread?: boolean;
}

/** picture = [a -b; b a] crop + (x, y), in pixels; whole coordinates are the middles of pixels, in both. */
export interface Similarity {
  a: number;
  b: number;
  x: number;
  y: number;
}

/** A square about a face, turned with it so that the face stands upright in it. */
export interface TurnedSquare {
  /** Degrees clockwise. */
  degrees: number;
  /** Pixels along its side. */
  side: number;
  /** Where its pixels lie in the picture. */
  toPicture: Similarity;
}

/** Why nobody is recognised by a face (fitness.ts, docs/quality.md). */
export type Unfit = 'turned' | 'too_small' | 'too_blurred';

/** A face that stands upright in a turned square; `face` is in pixels of that square. */
export interface TurnedFace {
  square: TurnedSquare;
  face: Detection;
}

/** How fit a face is for enrolment; every figure is stated so that a threshold can be set on it. */
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
  /** Of every face that was embedded, and of all where it was asked for. */
  quality?: Quality;
  /** Why nobody can be recognised by it; told of every face that was embedded. */
  unfit?: Unfit;
  age?: number;
  gender?: { value: 'male' | 'female'; probability: number };
  /** The crop the embedder saw, as PNG; undefined unless asked for. */
  crop?: Uint8Array;
  /** Which of `track.faces` it is; undefined for a new face. */
  known?: number;
  /** To be handed back as a {@link KnownFace}'s; with `track` only (track.ts). */
  thumbnail?: Float32Array;
}

/** A face of an earlier frame, as a call that tracks is told of it. */
export interface KnownFace {
  /** In the frame before. */
  box: Box;
  probability: number;
  landmarks: Landmarks | undefined;
  /** Embed it anew. */
  embed: boolean;
  /** From when it was embedded last: a face that has changed since is embedded anew, too. */
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

/** What a picture holds: faces, largest first. */
export interface Analysis {
  /** Of the upright picture. */
  width: number;
  height: number;
  faces: AnalysedFace[];
  /** Faces beyond the setting `MAX_FACES`, the smaller ones: they were found and not looked at. At least so many. */
  leftOut?: number;
  times: StageTimes;
  /** The frame in 32 x 18 grey levels, to see what moved; with `track` only. */
  scene?: Uint8Array;
}

/** How a kept picture was cut: as its pack's embedder takes faces. */
export interface KeptCut {
  alignment: Alignment;
  /** With `chip`; as ReadyEmbedder.padding. */
  padding?: number;
}

/** What to look for, and how hard. */
export interface AnalyzeOptions {
  /** Compute embeddings. Default true. */
  embed?: boolean;
  /** For enrolment: each embedding is the mean over the pack's views (ReadyEmbedder.views). Default: of the plain crop. */
  views?: boolean;
  /** Only the largest so many are embedded and answered. Default: all. */
  maxFaces?: number;
  /** Shorter side of the smallest face to look for and to answer, pixels. Default: the setting `MIN_FACE_SIZE`. */
  minFaceSize?: number;
  /** Smallest probability of a detection, 0 to 1. Default: the detector's own. */
  minProbability?: number;
  /** The picture is a face as a pack has cut it: there is one, where the cut has put it if it is not found (kept-face.ts). */
  kept?: KeptCut;
  quality?: boolean;
  crops?: boolean;
  ageGender?: boolean;
  /** By whom it is asked: pictures of one caller wait for each other, those of several take turns. Default: ''. */
  caller?: string;
  /** Aborted when nobody waits for the answer any more: what has not begun is dropped, what runs ends at its stage. */
  signal?: AbortSignal;
  /**
   * The picture is a frame of a camera, and these faces were in the one before. They are looked for near where they
   * were, which costs a fraction of a search; with `search` the whole frame is searched as well, for new faces. Only
   * new faces, those that say so and those that have changed are embedded. Nothing is kept between calls. A search that
   * finds nobody makes a second pass, for a face that fills the frame, unless `closeUps` is false.
   */
  track?: { faces: readonly KnownFace[]; search: boolean; closeUps?: boolean };
}

/** The options as a vision thread gets them: a signal cannot cross, `AskedPicture.stop` stands for it. */
export type ThreadOptions = Omit<AnalyzeOptions, 'caller' | 'signal'>;

/** The main thread's view of the vision threads. Made by `createVisionPool`. */
export interface VisionPool {
  /**
   * Decodes, detects and embeds on a vision thread.
   * @param bytes an encoded picture. Its buffer is transferred when it owns it whole: do not read it afterwards.
   * @throws KaomonError IMAGE_FORMAT_UNKNOWN, IMAGE_UNREADABLE, IMAGE_TOO_LARGE, BUSY (queue full),
   *   TOO_MANY_REQUESTS (the caller's share of it is), CLIENT_GONE (by the signal), CLOSING
   */
  analyze(bytes: Uint8Array, options?: AnalyzeOptions): Promise<Analysis>;
  info(): VisionInfo;
  /** Lets what is running and queued finish, then ends the threads. Never terminates one in mid-run: ORT aborts. */
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
  /** Why a preferred provider was not taken, in the order they were tried. */
  refusedProviders: { provider: string; reason: string }[];
  /** Threads that ended since the start without being asked to; others took their places where they could. */
  deaths?: number;
  /** What an administrator should know of how the settings were followed; absent when there is nothing to say. */
  note?: string;
}
