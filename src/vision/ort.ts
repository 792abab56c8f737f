import { InferenceSession, Tensor } from 'onnxruntime-node';
import { KaomonError } from '../errors.js';
import { mappedFile } from '../process-memory.js';
import { forgetOptimised, optimisedNetwork } from './optimised.js';
import { sessionOptions, type SessionPlace } from './session-options.js';

/** The execution providers that are known here; ONNX Runtime drops a name it does not know in silence. */
const PROVIDERS = new Set(['cpu', 'cuda', 'webgpu']);

export interface SessionOptions {
  /** Execution providers in order of preference; `cpu` is tried last whether it is named or not. */
  providers: readonly string[];
  /** Threads inside one run. */
  threads: number;
  /** Which GPU, where one is used: 0 is the first. */
  gpuDevice?: number;
  /** Folder of what can be made again: networks as they are optimised for this machine. Without it none is kept. */
  cacheDir?: string;
}

export interface RefusedProvider {
  provider: string;
  reason: string;
}

/** A network ready to run. Runs block the thread that calls them: only vision threads do. */
export interface Network {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Runs on float32 inputs by name; results are views valid until the next run. */
  run(inputs: Record<string, NetworkInput>): Promise<Record<string, Float32Array>>;
  release(): Promise<void>;
}

/** An input or output as the network declares it. */
export interface ValueInfo {
  readonly name: string;
  /** `float32`, `uint8`, ... */
  readonly type: string;
  /** A name, or nothing, stands where any size will do. */
  readonly shape: readonly (number | string)[];
}

export interface NetworkInput {
  /** Not copied; only read during the run. */
  data: Float32Array;
  shape: readonly number[];
}

/** Opens networks on the first execution provider that really runs one. */
export class Runtime {
  readonly #options: SessionOptions;
  readonly refused: RefusedProvider[] = [];
  #provider: string | undefined;
  /** What sessions read their weights from; they hold no reference to it themselves. */
  readonly #bytes: Uint8Array[] = [];

  /** @throws KaomonError SETUP when a provider's name is not known */
  constructor(options: SessionOptions) {
    const unknown = options.providers.find((name) => !PROVIDERS.has(name));
    if (unknown !== undefined) {
      const known = [...PROVIDERS].join(', ');
      throw new KaomonError('SETUP', `EXECUTION_PROVIDERS names "${unknown}"; known are ${known}.`);
    }
    this.#options = options;
  }

  /** The provider in use; `cpu` until a network was opened. */
  get provider(): string {
    return this.#provider ?? 'cpu';
  }

  /**
   * Opens a network and runs it once: the proof that the provider works, and the warm-up.
   * @param file path of the `.onnx` file
   * @param probe inputs for the first run; where they hang on what the network declares, a function of it
   * @param threads inside a run, where it is not to be what the settings say
   * @throws KaomonError NO_MODEL when not even the CPU runs it, and what `probe` throws
   */
  async open(
    file: string,
    probe: Record<string, NetworkInput> | ((network: Network) => Record<string, NetworkInput>),
    threads = this.#options.threads,
  ): Promise<Network> {
    const candidates = this.#provider ? [this.#provider] : [...new Set([...this.#options.providers, 'cpu'])];
    for (const provider of candidates) {
      try {
        const network = await this.#openOn(provider, file, threads);
        await network.run(typeof probe === 'function' ? probe(network) : probe);
        this.#provider = provider;
        return network;
      } catch (error) {
        // What the network is no provider can mend.
        if (error instanceof KaomonError) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        if (provider === candidates.at(-1)) {
          throw new KaomonError('NO_MODEL', `The network ${file} cannot be run: ${reason}`, { cause: error });
        }
        this.refused.push({ provider, reason });
      }
    }
    throw new Error('unreachable: cpu is always tried');
  }

  async #openOn(provider: string, file: string, threads: number): Promise<Network> {
    const session = await this.#create(provider, file, threads);
    return {
      inputs: session.inputMetadata.map(describeValue),
      outputs: session.outputMetadata.map(describeValue),
      async run(inputs) {
        const feeds: Record<string, Tensor> = {};
        for (const [name, { data, shape }] of Object.entries(inputs)) {
          feeds[name] = new Tensor('float32', data, shape);
        }
        const results = await session.run(feeds);
        return Object.fromEntries(
          Object.entries(results).map(([name, value]) => [name, value.data as Float32Array]),
        );
      },
      release: () => session.release(),
    };
  }

  async #create(provider: string, file: string, threads: number): Promise<InferenceSession> {
    const { gpuDevice = 0, cacheDir } = this.#options;
    const place = { provider, threads, gpuDevice };
    if (provider === 'cpu' && cacheDir) {
      // The cache is a help, no need: a full disk or a damaged file costs time and memory only.
      const optimised = await optimisedNetwork(file, cacheDir).catch(() => undefined);
      if (optimised) {
        try {
          return await this.#openBytes(optimised, place);
        } catch {
          await forgetOptimised(optimised).catch(() => undefined);
        }
      }
    }
    return await InferenceSession.create(file, sessionOptions(place));
  }

  /** Opens an optimised network on the very bytes of its file: no session has weights of its own. */
  async #openBytes(file: string, place: SessionPlace): Promise<InferenceSession> {
    const bytes = await mappedFile(file);
    const ownBytes = { use_ort_model_bytes_directly: '1', use_ort_model_bytes_for_initializers: '1' };
    const session = await InferenceSession.create(bytes, {
      ...sessionOptions(place, ownBytes),
      graphOptimizationLevel: 'disabled',
    });
    this.#bytes.push(bytes);
    return session;
  }
}

function describeValue(value: InferenceSession.ValueMetadata): ValueInfo {
  return value.isTensor
    ? { name: value.name, type: value.type, shape: value.shape }
    : { name: value.name, type: 'no tensor', shape: [] };
}
