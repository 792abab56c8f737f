/**
 * What the other rooms know of a model pack: plain data that can be sent to a thread. Paths are absolute, and every
 * file that they name has been built and checked.
 */

/** How a face is cut out of the picture for an embedder. */
export type Alignment =
  /** The detector's box in whole pixels, clamped to the picture (facenet-pytorch). */
  | 'box'
  /** The box that face-api derives from the landmarks (its `landmarks.align()`), squared by padding. */
  | 'faceapi'
  /** A similarity transform of five landmarks to the 112x112 template that ArcFace models expect. */
  | 'five-points'
  /** The rotated square that dlib cuts ("face chip") and trained face-api's network on; see ReadyEmbedder.padding. */
  | 'chip';

/**
 * A variation of a face's crop; `{}` is the crop itself. The alignments `box` and `faceapi`, whose crops must be those
 * of other programs to the bit, can only be mirrored: scale and shift are refused with them.
 */
export interface View {
  /** Left to right, after cropping. */
  readonly mirrored?: boolean;
  /** About the crop's centre: above 1 shows less of the face's surroundings, below 1 more. */
  readonly scale?: number;
  /** How far the square is moved right and down, in pixels of the crop. */
  readonly shift?: readonly [number, number];
}

/**
 * How often two different people are nearer to each other than a distance, as it was measured (docs/accuracy.md): with
 * one view of the probe, and the pack's views of the enrolled face.
 */
export interface Curve {
  /** Impostor pairs it was measured on: a rate below a few times 1 / pairs means nothing. */
  readonly pairs: number;
  /** What it was measured on, and by which command. */
  readonly source: string;
  /** Squared L2 distance and false match rate (0 to 1), both ascending. */
  readonly points: readonly (readonly [distance: number, rate: number])[];
}

/** The numbers of MTCNN's three networks for loops of our own, in shared memory (onnx/mtcnn-weights.ts). */
export type MtcnnWeights = Readonly<Record<'pnet' | 'rnet' | 'onet', Float32Array>>;

/** A detector's networks. All inputs are float32 NCHW of raw RGB values, 0 to 255: the graphs normalise. */
export type ReadyDetector =
  | {
      readonly kind: 'ssd';
      /** `image` [1, 3, 512, 512] -> `boxes` [n, 4] (top, left, bottom, right; 0 to 1), `scores` [n]. */
      readonly ssd: string;
      /** `faces` [n, 3, 112, 112] -> `landmarks` [n, 136]: 68 points, x then y, 0 to 1 of the (square) input. */
      readonly landmarks: string;
    }
  | {
      readonly kind: 'mtcnn';
      /** `image` [1, 3, h, w] -> `probability` [1, 1, h', w'], `regression` [1, 4, h', w']. */
      readonly pnet: string;
      /** `faces` [n, 3, 24, 24] -> `probability` [n], `regression` [n, 4]. */
      readonly rnet: string;
      /** `faces` [n, 3, 48, 48] -> `probability` [n], `regression` [n, 4], `landmarks` [n, 10] (5 x, then 5 y). */
      readonly onet: string;
      /** As of `ssd`; for the alignments `faceapi` and `chip`, whose square follows from the 68 points. */
      readonly landmarks?: string;
      /** Left out where the networks are not those that we build. */
      readonly weights?: MtcnnWeights;
    };

/** The numbers that an embedder's network computes in. */
export type Precision = 'float32' | 'float16' | 'int8';

/** An embedder's network: `faces` [n, 3, size, size] -> `embeddings` [n, length]. */
export interface ReadyEmbedder {
  /** `facenet`, `faceapi`, or the name in a user's manifest. */
  readonly name: string;
  readonly network: string;
  /** Left out: float32. */
  readonly precision?: Precision;
  /** Numbers in one embedding. */
  readonly length: number;
  /** Side of the square input, pixels. */
  readonly size: number;
  readonly colour: 'rgb' | 'bgr';
  /** The input is `(value - mean) * scale` of a channel value 0 to 255; our own graphs take mean 0, scale 1. */
  readonly mean: number;
  readonly scale: number;
  readonly alignment: Alignment;
  /** With `chip`: the margin on each side, in parts of the face's side; dlib's recognition has 0.25. */
  readonly padding?: number;
  /** The views whose embeddings are averaged when a face is enrolled; a probe has one. Left out: one. */
  readonly views?: readonly View[];
  /** Of a user's network. Left out: its first input; its output `embeddings`, or the first where none has that name. */
  readonly input?: string;
  readonly output?: string;
}

/** Squared L2 distances between unit vectors: 0 the same picture, 2 unrelated, 4 opposite. */
export interface Thresholds {
  /** A face is named when its distance to the nearest enrolled one is below this. */
  readonly identical: number;
  /** Below this the page says "sure". */
  readonly sure: number;
}

/** A better pack that this machine has, for people who are enrolled with another one. */
export interface PackOffer {
  readonly pack: string;
  readonly title: string;
  /** Fills its gallery from the pictures that were kept. */
  readonly command: string;
}

/** A detector and an embedder that are built, on disk and fit together. */
export interface ReadyPack {
  /** `facenet`, `faceapi`, `mtcnn+faceapi`, ...: names the folder of its vectors, `embeddings/<id>/`. */
  readonly id: string;
  /** For people: `SSD MobileNet v1 + face-api ResNet (128 numbers)`. */
  readonly title: string;
  readonly licence: string;
  readonly detector: ReadyDetector;
  readonly embedder: ReadyEmbedder;
  /** `faces` [n, 3, 112, 112] -> `age` [n], `female` [n] (probability); undefined when it is not installed. */
  readonly ageGender: string | undefined;
  readonly thresholds: Thresholds;
  /** Left out: not measured, so that there are no odds and the threshold is fixed. */
  readonly curve?: Curve;
  /**
   * Templates are searched, too (docs/gallery.md). Left out: faces alone, for packs where strangers come nearer to
   * templates than to faces, so that thresholds would not hold.
   */
  readonly templates?: boolean;
  /** Where `auto` stays with a pack because people are enrolled with it. */
  readonly offer?: PackOffer;
}

/** What a network makes of a synthetic picture: enough of it to recognise the network. */
export interface Fingerprint {
  /** Names the picture. */
  readonly input: string;
  /** By the output's name: how many numbers it has, and a sketch of them (vision/self-check.ts). */
  readonly outputs: Readonly<Record<string, { readonly length: number; readonly sketch: readonly number[] }>>;
}
