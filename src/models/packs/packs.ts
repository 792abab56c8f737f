import type { Component } from '../component.js';
import { FACE_API_EMBEDDER, FACENET_EMBEDDER, FR_FEATURE_EMBEDDER, MTCNN, SSD } from './components.js';
import { CURVES } from './curves.js';
import type { Curve, ReadyDetector, ReadyEmbedder, Thresholds, View } from '../types.js';

/** One of our pairs of a detector and an embedder, as data: nothing of it need be on this machine. */
export interface Pack {
  readonly id: string;
  readonly title: string;
  readonly detector: ReadyDetector['kind'];
  readonly embedder: keyof typeof EMBEDDERS;
  /** How this pack crops its faces, where that differs from its embedder's `input`. */
  readonly cut?: Pick<ReadyEmbedder, 'alignment' | 'padding' | 'views'>;
  /** In force where there is no curve. */
  readonly thresholds: Thresholds;
  /** Left out: not measured. */
  readonly curve?: Curve;
  /** As in ReadyPack. */
  readonly templates?: boolean;
}

/** What a detector is built from. */
export const DETECTORS: Readonly<Record<ReadyDetector['kind'], Component>> = { ssd: SSD, mtcnn: MTCNN };

/** The views of an enrolled face; why: docs/accuracy.md. */
const EIGHT_VIEWS: readonly View[] = [
  {},
  { mirrored: true },
  { scale: 0.95 },
  { scale: 1.05 },
  { shift: [1.5, 0] },
  { shift: [-1.5, 0] },
  { shift: [0, 1.5] },
  { shift: [0, -1.5] },
];

/**
 * dlib's rotated chip, as its author crops faces for the network that face-api converted (dnn_face_recognition_ex.cpp:
 * padding 0.25). It is best here, too: docs/models.md.
 */
const CHIP: Pack['cut'] = {
  alignment: 'chip',
  padding: 0.25,
  views: [{}, { mirrored: true }, { scale: 0.95 }, { scale: 1.05 }],
};

/** What each of our embedders is built from, its file and the faces that it takes. */
export const EMBEDDERS = {
  faceapi: {
    component: FACE_API_EMBEDDER,
    network: 'recognition.onnx',
    input: { length: 128, size: 150, colour: 'rgb', mean: 0, scale: 1, alignment: 'faceapi' },
  },
  // 127, not 127.5, as in the package's own program.
  fr_feature: {
    component: FR_FEATURE_EMBEDDER,
    network: 'embedder.onnx',
    input: {
      length: 512,
      size: 112,
      colour: 'rgb',
      mean: 127,
      scale: 1 / 128,
      alignment: 'five-points',
      views: EIGHT_VIEWS,
    },
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

/** The packs, best first. Thresholds are squared L2 distances of unit vectors; how they were found: docs/thresholds.md. */
export const PACKS: readonly Pack[] = [
  {
    id: 'facenet',
    title: 'MTCNN + InceptionResnetV1, VGGFace2 (512 numbers)',
    detector: 'mtcnn',
    embedder: 'facenet',
    thresholds: { identical: 0.49, sure: 0.35 },
  },
  {
    id: 'mtcnn+fr',
    title: 'MTCNN + fr_feature (512 numbers)',
    detector: 'mtcnn',
    embedder: 'fr_feature',
    thresholds: { identical: 1.2, sure: 1.05 },
    curve: CURVES['mtcnn+fr'],
    templates: true,
  },
  {
    id: 'mtcnn+faceapi-chip',
    title: 'MTCNN + face-api ResNet, turned faces (128 numbers)',
    detector: 'mtcnn',
    embedder: 'faceapi',
    cut: CHIP,
    thresholds: { identical: 0.145, sure: 0.1 },
    curve: CURVES['mtcnn+faceapi-chip'],
  },
  {
    id: 'faceapi-chip',
    title: 'SSD MobileNet v1 + face-api ResNet, turned faces (128 numbers)',
    detector: 'ssd',
    embedder: 'faceapi',
    cut: CHIP,
    thresholds: { identical: 0.14, sure: 0.105 },
    curve: CURVES['faceapi-chip'],
  },
  // From before there were rotated crops: for people who are enrolled with them.
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
