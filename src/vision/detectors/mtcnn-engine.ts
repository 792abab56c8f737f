import type { MtcnnWeights } from '../../models/types.js';
import type { AreaTable } from '../area.js';

/** Side of P-Net's window, pixels; its windows lie two pixels apart. */
export const CELL = 12;
export const STRIDE = 2;
/** Sides of R-Net's and O-Net's inputs. */
export const SIDES = { rnet: 24, onet: 48 } as const;
/** Faces that R- and O-Net take in one run. */
export const BATCH = 16;
/** What R- or O-Net says of a candidate: probability, four sides, ten landmarks, which R-Net leaves as they are. */
export const SCORES = 15;

/** P-, R- and O-Net as ONNX files. */
export interface MtcnnFiles {
  pnet: string;
  rnet: string;
  onet: string;
  /** The network of 68 landmarks, where the embedder's alignment asks for them. */
  landmarks?: string;
  /** The same networks' numbers; undefined where they are not those that we build. */
  weights?: MtcnnWeights;
}

/** Some rows of the picture at one scale. */
export interface Band {
  /** Of the whole picture at this scale. */
  width: number;
  height: number;
  /** The first row of windows and how many. */
  row: number;
  rows: number;
}

/** The least size of a band: the larger one of the two. */
export interface BandSize {
  /** Of the scaled picture. */
  readonly pixels: number;
  /** Of windows. */
  readonly rows: number;
  /** Windows that may be faces that a band has room for. One with more, which no photograph has, is scanned once more. */
  readonly room: number;
}

/**
 * Told of a window that may be a face.
 * @param from index in `sides` of the first of four numbers, `step` apart
 */
export type AddWindow = (
  ...of: [
    ...[column: number, row: number, probability: number],
    ...[sides: Float32Array, from: number, step: number],
  ]
) => void;

/** What runs the three networks. One call at a time, because buffers are reused. */
export interface MtcnnEngine {
  /** `onnx`, or the registers that our own loops were compiled for. */
  readonly kernels: string;
  /** How P-Net's pyramid is cut into bands: {@link BandSize} for one thread, and to share. */
  readonly bands: { readonly alone: BandSize; readonly shared: BandSize };
  /** P-Net over a band: `add` is told of the windows of the least probability and above, row by row; of NaN, too. */
  scan(table: AreaTable, band: Band, threshold: number, add: AddWindow): Promise<void>;
  /**
   * R- or O-Net over {@link BATCH} regions of the picture, or fewer, from the `first` on.
   * @param regions x, y, width and height of each
   * @param scores written: {@link SCORES} numbers for each
   */
  score(
    ...of: [
      ...[network: 'rnet' | 'onet', table: AreaTable, regions: Int32Array],
      ...[first: number, count: number, scores: Float32Array],
    ]
  ): Promise<void>;
  release(): Promise<void>;
}

/** P-Net's windows along a side: a convolution of 3, halved upwards, two convolutions of 3. */
export function windowsAlong(side: number): number {
  return Math.ceil((side - 2) / STRIDE) - 4;
}
