import { KaomonError } from '../platform/errors.js';
import type { ReadyEmbedder } from '../models/types.js';
import { facesInput } from './faces-input.js';
import type { Network, ValueInfo } from './network.js';
import type { Runtime } from './ort.js';
import { LEAST_COSINE, madeFace } from './self-check.js';
import { refuseInvalidOutput } from './valid-output.js';
import { type Stop, throwIfStopped } from './stop.js';
import { SERIAL, sharedFloats, type WorkSharing } from './work-sharing.js';

/** Faces in one run. On a CPU a batch is no faster, and one of four takes 50 MB more memory. */
const BATCH = { cpu: 1, gpu: 8 };

/** Least cosine of the first answer to its fingerprint: int8 is rounded differently on other processors. */
const LEAST = { float32: LEAST_COSINE, float16: LEAST_COSINE, int8: 0.99 };

/** Faces in shared memory, for the threads that embed them. */
interface EmbedJob {
  stop: Stop | undefined;
  crops: Uint8Array;
  embeddings: Float32Array;
}

/** Turns aligned faces into embeddings. One call at a time, because it reuses its buffers. */
export interface Embedder {
  /**
   * @param crops RGB, interleaved, `size * size * 3` bytes each; only read
   * @param stop checked between faces
   * @returns a unit vector of the embedder's length for each crop; the caller's
   * @throws KaomonError CLIENT_GONE by `stop`; INTERNAL when the network answers zeros or NaN
   */
  embed(crops: readonly Uint8Array[], stop?: Stop): Promise<Float32Array[]>;
  release(): Promise<void>;
}

/**
 * Opens the network of a pack; a user's own must be what its manifest says.
 * @param sharing with idle threads, which embed some of the faces
 * @throws KaomonError NO_MODEL when it cannot be run, or its inputs or outputs are not what its pack says
 */
export async function createEmbedder(
  runtime: Runtime,
  spec: ReadyEmbedder,
  sharing: WorkSharing = SERIAL,
): Promise<Embedder> {
  const { size, length } = spec;
  const face = 3 * size * size;
  let ends: Ends = { input: '', output: '', takesMany: false };
  const probe = facesInput(spec, 1);
  probe.fill(madeFace(size), 0);
  const network = await runtime.open(
    spec.network,
    (opened) => {
      ends = findEnds(opened, spec);
      return { [ends.input]: { data: probe.data, shape: [1, 3, size, size] } };
    },
    undefined,
    () => ({ outputs: [ends.output], least: LEAST[spec.precision ?? 'float32'] }),
  );
  const { input, output, takesMany } = ends;
  const mostFaces = takesMany ? BATCH[runtime.provider === 'cpu' ? 'cpu' : 'gpu'] : 1;
  const faces = facesInput(spec, mostFaces);

  /** @returns views, valid until the next run */
  async function run(crops: readonly Uint8Array[]): Promise<Float32Array[]> {
    crops.forEach((crop, i) => faces.fill(crop, i));
    const data = faces.data.subarray(0, crops.length * face);
    const results = await network.run({ [input]: { data, shape: [crops.length, 3, size, size] } });
    const rows = results[output];
    if (rows.length !== crops.length * length) {
      throw misfit(spec, `it answers ${rows.length / crops.length} numbers a face, not ${length}`);
    }
    return crops.map((_, i) => unitLength(rows.subarray(i * length, (i + 1) * length)));
  }

  const embedTogether = sharing.loop(async ({ crops, embeddings, stop }: EmbedJob, index) => {
    throwIfStopped(stop);
    const [embedding] = await run([crops.subarray(index * face, (index + 1) * face)]);
    embeddings.set(embedding, index * length);
  });

  async function embedWithOthers(crops: readonly Uint8Array[], stop?: Stop): Promise<Float32Array[]> {
    const job = {
      stop,
      crops: new Uint8Array(new SharedArrayBuffer(crops.length * face)),
      embeddings: sharedFloats(crops.length * length),
    };
    crops.forEach((crop, i) => job.crops.set(crop, i * face));
    await embedTogether(job, crops.length);
    return crops.map((_, i) => job.embeddings.slice(i * length, (i + 1) * length));
  }

  return {
    async embed(crops, stop) {
      if (crops.length > 1 && sharing.idle() > 0) return await embedWithOthers(crops, stop);
      const embeddings: Float32Array[] = [];
      for (let from = 0; from < crops.length; from += mostFaces) {
        throwIfStopped(stop);
        const found = await run(crops.slice(from, from + mostFaces));
        embeddings.push(...found.map((embedding) => embedding.slice()));
      }
      return embeddings;
    },
    release: () => network.release(),
  };
}

/**
 * Scales to unit length in place: a user's own network may not do it.
 * @throws KaomonError INTERNAL for zeros or NaN, which would match anybody
 */
function unitLength(vector: Float32Array): Float32Array {
  let sum = 0;
  for (const value of vector) sum += value * value;
  if (!(sum > 0 && sum < Infinity)) refuseInvalidOutput('embedder');
  const scale = 1 / Math.sqrt(sum);
  for (let i = 0; i < vector.length; i++) vector[i] *= scale;
  return vector;
}

/** The names of the network's input and output, and whether a run takes several faces. */
interface Ends {
  input: string;
  output: string;
  takesMany: boolean;
}

/** @throws KaomonError NO_MODEL */
function findEnds({ inputs, outputs }: Network, spec: ReadyEmbedder): Ends {
  const { size, length } = spec;
  const input = pick(inputs, spec.input ?? inputs[0]?.name, 'input', spec);
  const named = outputs.some(({ name }) => name === 'embeddings') ? 'embeddings' : outputs[0]?.name;
  const output = pick(outputs, spec.output ?? named, 'output', spec);
  const [batch = 'n'] = input.shape;
  if (!fits(input, [undefined, 3, size, size])) {
    throw misfit(spec, `its input ${describeEnd(input)} does not take [n, 3, ${size}, ${size}] of float32`);
  }
  if (typeof batch === 'number' && batch > 1) {
    throw misfit(spec, `its input ${describeEnd(input)} takes ${batch} faces at once, not one or any number`);
  }
  if (!fits(output, [undefined, length])) {
    throw misfit(spec, `its output ${describeEnd(output)} is not [n, ${length}] of float32`);
  }
  return { input: input.name, output: output.name, takesMany: batch !== 1 };
}

function pick(
  ends: readonly ValueInfo[],
  name: string | undefined,
  kind: 'input' | 'output',
  spec: ReadyEmbedder,
): ValueInfo {
  const found = ends.find((end) => end.name === name);
  if (found) return found;
  throw misfit(spec, `it has no ${kind} "${name}"; it has ${ends.map((end) => `"${end.name}"`).join(', ')}`);
}

/** Whether the fixed sizes are the wanted ones; a negative size also stands for any. */
function fits({ type, shape }: ValueInfo, wanted: readonly (number | undefined)[]): boolean {
  if (type !== 'float32') return false;
  if (shape.length === 0) return true;
  return (
    shape.length === wanted.length &&
    shape.every((size, i) => typeof size !== 'number' || size < 0 || (wanted[i] ?? size) === size)
  );
}

const describeEnd = ({ name, type, shape }: ValueInfo) => `"${name}" ([${shape.join(', ')}] of ${type})`;

function misfit({ name, network }: ReadyEmbedder, reason: string): KaomonError {
  return new KaomonError('NO_MODEL', `The network ${network} is not what the pack ${name} says: ${reason}.`);
}
