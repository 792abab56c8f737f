import type { Component } from './component.js';
import { AGE_GENDER, FACE_API_EMBEDDER, FACENET_EMBEDDER, MTCNN, SSD } from './components.js';
import type { Curve, ReadyDetector, ReadyEmbedder, Thresholds } from './types.js';

/** A detector and an embedder of ours that fit together, as data: nothing of it need be on this machine. */
export interface Pack {
  readonly id: string;
  readonly title: string;
  readonly detector: ReadyDetector['kind'];
  readonly embedder: keyof typeof EMBEDDERS;
  readonly thresholds: Thresholds;
  /** Left out: not measured. */
  readonly curve?: Curve;
}

/** What a detector is built from. */
export const DETECTORS: Readonly<Record<ReadyDetector['kind'], Component>> = { ssd: SSD, mtcnn: MTCNN };

/** What an embedder of ours is built from, the file that holds it and how it takes its faces. */
export const EMBEDDERS = {
  faceapi: {
    component: FACE_API_EMBEDDER,
    network: 'recognition.onnx',
    input: { length: 128, size: 150, colour: 'rgb', mean: 0, scale: 1, alignment: 'faceapi' },
  },
  facenet: {
    component: FACENET_EMBEDDER,
    network: 'embedder.onnx',
    input: { length: 512, size: 160, colour: 'rgb', mean: 0, scale: 1, alignment: 'box' },
  },
} as const satisfies Record<
  string,
  { component: Component; network: string; input: Omit<ReadyEmbedder, 'name' | 'network'> }
>;

/** Goes with every pack of ours whose machine has it. */
export const AGE_GENDER_COMPONENT = AGE_GENDER;

/**
 * The packs, best first. How the thresholds were found: docs/thresholds.md. They are squared L2 distances of unit
 * vectors.
 */
export const PACKS: readonly Pack[] = [
  {
    id: 'facenet',
    title: 'MTCNN + InceptionResnetV1, VGGFace2 (512 numbers)',
    detector: 'mtcnn',
    embedder: 'facenet',
    thresholds: { identical: 0.49, sure: 0.35 },
  },
  {
    id: 'mtcnn+faceapi',
    title: 'MTCNN + face-api ResNet (128 numbers)',
    detector: 'mtcnn',
    embedder: 'faceapi',
    thresholds: { identical: 0.145, sure: 0.1 },
  },
  {
    id: 'faceapi',
    title: 'SSD MobileNet v1 + face-api ResNet (128 numbers)',
    detector: 'ssd',
    embedder: 'faceapi',
    thresholds: { identical: 0.14, sure: 0.105 },
  },
];
