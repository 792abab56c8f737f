/**
 * `node optimise.js NETWORK SAVED`: writes a network as ONNX Runtime optimises it for this processor, in ONNX Runtime's
 * own format. A program of its own: what it takes, several times the network's size, goes when it ends.
 */
import { InferenceSession } from 'onnxruntime-node';
import { sessionOptions } from '../platform/onnx-runtime.js';

const [, , network, saved] = process.argv;
const options = sessionOptions({ provider: 'cpu', threads: 1 }, { settings: { save_model_format: 'ORT' } });
await InferenceSession.create(network, { ...options, optimizedModelFilePath: saved });
