/**
 * What the other rooms know of a model pack: plain data that can cross a thread. Paths are absolute, every file
 * behind them has been built and checked.
 */

/** How a face is cut out of the picture for an embedder. */
export type Alignment =
  /** The detector's box in whole pixels, clamped to the picture (facenet-pytorch). */
  | 'box'
  /** The box that face-api derives from the landmarks (its `landmarks.align()`), squared by padding. */
  | 'faceapi'
  /** A similarity transform of five landmarks to the 112x112 template that ArcFace models expect. */
  | 'five-points'
  /** The turned square that dlib cuts ("face chip") and trained face-api's network on; see ReadyEmbedder.padding. */
  | 'chip';

/**
 * One way to look at a face again: the crop is cut so much otherwise. The plain view is `{}`. The alignments `box` and
 * `faceapi`, whose cuts are held to others' to the bit, are mirrored and no more: scale and shift are refused with them.
 */
export interface View {
  /** Left to right, after the cut. */
  readonly mirrored?: boolean;
  /** About the crop's middle: larger than 1 cuts less of the face's surroundings, smaller more. */
  readonly scale?: number;
  /** Pixels of the crop that its square is moved to the right and down. */
  readonly shift?: readonly [number, number];
}

/**
 * How often two different people lie nearer to each other than a distance, as it was measured (docs/accuracy.md):
 * the probe looked at once, the enrolled one in the pack's views.
 */
export interface Curve {
  /** Impostor pairs behind it: a rate below a few of 1 / pairs is no measurement. */
  readonly pairs: number;
  /** What it was measured on, and by which command. */
  readonly source: string;
  /** Squared L2 distance and false match rate (0 to 1), both ascending. */
  readonly points: readonly (readonly [distance: number, rate: number])[];
}

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
      /** As of `ssd`; there where the embedder's alignment is `faceapi`, whose square hangs on the 68 points. */
      readonly landmarks?: string;
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
  /** With `chip`: so much of the face's side is left around it on each side; dlib's own for recognition is 0.25. */
  readonly padding?: number;
  /** The views whose embeddings are averaged when a face is enrolled; a recognition looks once. Left out: one. */
  readonly views?: readonly View[];
  /** Of a user's network. Left out: its first input; its output `embeddings`, or its first where none is so named. */
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
  /** What makes its gallery from the pictures that were kept. */
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
  /** Left out: nobody measured it, so that no odds can be told and the threshold is the fixed one. */
  readonly curve?: Curve;
  /**
   * A person with several faces is also found at their mean (docs/gallery.md). Left out: at the faces alone, as where
   * strangers come nearer to means than to faces, so that thresholds would not hold.
   */
  readonly templates?: boolean;
  /** There where `auto` stays with the pack that people are enrolled with. */
  readonly offer?: PackOffer;
}

/** What a network answers when it is shown a made picture: so much of it that the network is known again. */
export interface Fingerprint {
  /** Names what it was shown. */
  readonly input: string;
  /** By the output's name: how many numbers it answers, and a sketch of them (vision/self-check.ts). */
  readonly outputs: Readonly<Record<string, { readonly length: number; readonly sketch: readonly number[] }>>;
}
