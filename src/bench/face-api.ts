import { createRequire } from 'node:module';
import path from 'node:path';
import { decodeImage } from '../vision/image.js';

/** The parts of TensorFlow.js and face-api that we use; both are development dependencies, so they are loaded by name. */
interface Tensor {
  dispose(): void;
}
interface TensorFlow {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor3d(data: Uint8Array, shape: [number, number, number], type: 'int32'): Tensor;
}
interface FaceNet {
  loadFromDisk(folder: string): Promise<void>;
}
interface FaceApi {
  tf: TensorFlow;
  nets: { ssdMobilenetv1: FaceNet; faceLandmark68Net: FaceNet; faceRecognitionNet: FaceNet };
  SsdMobilenetv1Options: new (options: { minConfidence: number; maxResults: number }) => object;
  detectAllFaces(
    input: Tensor,
    options: object,
  ): { withFaceLandmarks(): { withFaceDescriptors(): Promise<unknown[]> } };
}

/**
 * What one would otherwise use in JavaScript: `@vladmandic/face-api` on its wasm backend.
 * @throws Error when one of its packages is not installed
 */
export async function openFaceApi(): Promise<{ describe(jpeg: Uint8Array): Promise<number> }> {
  const require = createRequire(import.meta.url);
  const wasm = require('@tensorflow/tfjs-backend-wasm') as { setWasmPaths(folder: string): void };
  wasm.setWasmPaths(`${path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'))}/dist/`);
  const faceApi = require('@vladmandic/face-api/dist/face-api.node-wasm.js') as FaceApi;
  await faceApi.tf.setBackend('wasm');
  await faceApi.tf.ready();
  const models = path.join(path.dirname(require.resolve('@vladmandic/face-api/package.json')), 'model');
  const { ssdMobilenetv1, faceLandmark68Net, faceRecognitionNet } = faceApi.nets;
  for (const net of [ssdMobilenetv1, faceLandmark68Net, faceRecognitionNet]) await net.loadFromDisk(models);
  const options = new faceApi.SsdMobilenetv1Options({ minConfidence: 0.4, maxResults: 100 });
  return {
    /** Detects faces, finds their landmarks and computes their embeddings. @returns how many faces */
    async describe(jpeg) {
      const { data, width, height } = await decodeImage(jpeg, { maxPixels: 25_000_000 });
      const input = faceApi.tf.tensor3d(data, [height, width, 3], 'int32');
      const faces = await faceApi.detectAllFaces(input, options).withFaceLandmarks().withFaceDescriptors();
      input.dispose();
      return faces.length;
    },
  };
}
