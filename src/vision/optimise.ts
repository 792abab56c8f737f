/**
 * `node optimise.js NETWORK SAVED`: writes a network, optimised for this processor, in ONNX Runtime's own format. It is a
 * program of its own because it takes several times the network's size, which its end gives back.
 */
import { InferenceSession } from 'onnxruntime-node';
import { sessionOptions } from '../platform/onnx-runtime.js';

const [, , network, saved] = process.argv;
const options = sessionOptions({ provider: 'cpu', threads: 1 }, { settings: { save_model_format: 'ORT' } });
await InferenceSession.create(network, { ...options, optimizedModelFilePath: saved });
