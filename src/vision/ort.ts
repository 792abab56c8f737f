import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { KaomonError } from '../platform/errors.js';
import { mappedFile } from '../platform/process-memory.js';
import { onProvider, sessionOptions, type SessionPlace } from '../platform/onnx-runtime.js';
import { type WebgpuTurns, webgpuTurns } from '../platform/webgpu-turns.js';
import { faultOfFirst, type Expectation, wrongNetwork } from './first-answer.js';
import type { Network, NetworkInput, ValueInfo } from './network.js';
import { forgetOptimised, optimisedNetwork } from './optimised.js';

/** The supported execution providers; ONNX Runtime silently ignores unknown names. */
const PROVIDERS = new Set(['cpu', 'cuda', 'webgpu']);

export interface SessionOptions {
  /** Execution providers in order of preference; `cpu` is tried last whether it is named or not. */
  providers: readonly string[];
  /** Threads inside one run. */
  threads: number;
  /** Which GPU to use; 0 is the first. */
  gpuDevice?: number;
  /** Folder for optimised networks. Default: none are stored. */
  cacheDir?: string;
  /** Whose turn it is to use WebGPU in this process; other threads get the main thread's. */
  turns?: WebgpuTurns;
  /** Compare each network's first answer with its fingerprint (models/packs/fingerprints.ts). */
  selfCheck?: boolean;
  /** Opens sessions instead of ONNX Runtime; for tests. */
  createSession?: (file: string, options: InferenceSession.SessionOptions) => Promise<InferenceSession>;
}

export interface RefusedProvider {
  provider: string;
  reason: string;
}

/** How a network is opened: see {@link Runtime.open}. */
type How = [
  probe: Record<string, NetworkInput> | ((network: Network) => Record<string, NetworkInput>),
  threads: number,
  expected: () => Expectation,
];

/** A network runs but answers wrongly. The message is a predicate: "answers zeros". */
class WrongAnswer extends Error {}

/** A provider is unusable, but other networks are open on it already: see {@link Runtime.openAll}. */
class ProviderTakenOut extends Error {}

/** Opens networks on the first execution provider that runs them correctly. */
export class Runtime {
  readonly #options: SessionOptions;
  readonly #turns: WebgpuTurns;
  readonly refused: RefusedProvider[] = [];
  #provider: string | undefined;
  #candidates: string[];
  readonly #open = new Set<Network>();
  /** The sessions' weights, to which they hold no reference themselves. */
  readonly #bytes: Uint8Array[] = [];

  /** @throws KaomonError SETUP when a provider is unknown */
  constructor(options: SessionOptions) {
    const unknown = options.providers.find((name) => !PROVIDERS.has(name));
    if (unknown !== undefined) {
      const known = [...PROVIDERS].join(', ');
      throw new KaomonError('SETUP', `EXECUTION_PROVIDERS names "${unknown}"; known are ${known}.`);
    }
    this.#options = options;
    this.#turns = options.turns ?? webgpuTurns;
    this.#candidates = [...new Set([...options.providers, 'cpu'])];
  }

  /** The provider in use; `cpu` until a network was opened. */
  get provider(): string {
    return this.#provider ?? 'cpu';
  }

  /**
   * Opens several networks on one provider. When a later one shows that the provider is unusable, those that are open are
   * released, and `open` is called again for the next provider.
   * @param open calls {@link Runtime.open}
   * @throws what `open` throws; nothing is open then
   */
  async openAll<T>(open: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await open();
      } catch (error) {
        for (const network of this.#open) await network.release().catch(() => undefined);
        if (!(error instanceof ProviderTakenOut)) throw error;
      }
    }
  }

  /**
   * Opens a network and runs it once, to prove that the provider works and to warm it up.
   * @param file path of the `.onnx` file
   * @param probe inputs for the first run, or a function that makes them for the opened network
   * @param threads inside a run; default: the settings'
   * @param expected how to check its first answer; called once it has answered
   * @throws KaomonError NO_MODEL when not even the CPU runs it, or the network is faulty, and what `probe` throws
   */
  async open(
    file: string,
    probe: How[0],
    threads = this.#options.threads,
    expected: () => Expectation = () => ({}),
  ): Promise<Network> {
    const candidates = this.#provider ? [this.#provider] : [...this.#candidates];
    for (const provider of candidates) {
      try {
        const network = await this.#openSound(provider, file, probe, threads, expected);
        this.#provider = provider;
        return network;
      } catch (error) {
        // The network itself is faulty: another provider would not help.
        if (error instanceof KaomonError) throw error;
        if (provider === 'cpu') throw unusable(file, error);
        const reason = refusalOf(file, error);
        this.refused.push({ provider, reason });
        this.#candidates = this.#candidates.filter((name) => name !== provider);
        if (this.#provider) {
          this.#provider = undefined;
          throw new ProviderTakenOut(`${provider} is not used: ${reason}`);
        }
      }
    }
    throw new Error('unreachable: cpu is always tried');
  }

  /** @throws KaomonError for a fault of the network, Error for what may be the provider's fault */
  async #openSound(provider: string, file: string, ...how: How): Promise<Network> {
    for (const cached of await this.#forms(provider, file)) {
      try {
        return await this.#openForm(provider, file, cached, ...how);
      } catch (error) {
        if (!cached || error instanceof KaomonError) throw error;
        await forgetOptimised(cached).catch(() => undefined);
      }
    }
    throw new Error('unreachable: the file itself is always tried');
  }

  async #openForm(
    provider: string,
    file: string,
    cached: string | undefined,
    ...[probe, threads, expected]: How
  ): Promise<Network> {
    const place = { provider, threads, gpuDevice: this.#options.gpuDevice ?? 0 };
    const network = cached ? await this.#openCached(cached, place) : await this.#openFile(file, place);
    try {
      const inputs = typeof probe === 'function' ? probe(network) : probe;
      const answers = await network.run(inputs);
      if (!this.#options.selfCheck) return network;
      const first = { provider, file, inputs, answers, ...expected() };
      const fault = await faultOfFirst(first, () => this.#openFile(file, { provider: 'cpu', threads }, true));
      if (fault) throw new WrongAnswer(fault);
      return network;
    } catch (error) {
      await network.release().catch(() => undefined);
      throw error;
    }
  }

  /** What to try: the optimised network in the cache, where there is one, then the file itself (undefined). */
  async #forms(provider: string, file: string): Promise<(string | undefined)[]> {
    const { cacheDir } = this.#options;
    if (provider !== 'cpu' || !cacheDir) return [undefined];
    // Without the cache, as on a full disk, it only takes more time and memory.
    const optimised = await optimisedNetwork(file, cacheDir).catch(() => undefined);
    return optimised ? [optimised, undefined] : [undefined];
  }

  /** @param asWritten without optimisation */
  async #openFile(file: string, place: SessionPlace, asWritten = false): Promise<Network> {
    const { createSession } = this.#options;
    const options = sessionOptions(place, { optimised: !asWritten });
    const create = () => createSession?.(file, options) ?? InferenceSession.create(file, options);
    return this.#toNetwork(await onProvider(place.provider, this.#turns, create), place.provider);
  }

  /** Opens an optimised network on the mapped bytes of its file, without copying the weights. */
  async #openCached(file: string, place: SessionPlace): Promise<Network> {
    const bytes = await mappedFile(file);
    const settings = { use_ort_model_bytes_directly: '1', use_ort_model_bytes_for_initializers: '1' };
    const session = await InferenceSession.create(
      bytes,
      sessionOptions(place, { optimised: false, settings }),
    );
    this.#bytes.push(bytes);
    return this.#toNetwork(session, place.provider);
  }

  #toNetwork(session: InferenceSession, provider: string): Network {
    const network: Network = {
      inputs: session.inputMetadata.map(describeValue),
      outputs: session.outputMetadata.map(describeValue),
      run: async (inputs) => {
        const feeds: Record<string, Tensor> = {};
        for (const [name, { data, shape }] of Object.entries(inputs)) {
          feeds[name] = new Tensor('float32', data, shape);
        }
        const results = await onProvider(provider, this.#turns, () => session.run(feeds));
        return Object.fromEntries(
          Object.entries(results).map(([name, value]) => [name, value.data as Float32Array]),
        );
      },
      release: async () => {
        if (this.#open.delete(network)) await onProvider(provider, this.#turns, () => session.release());
      },
    };
    this.#open.add(network);
    return network;
  }
}

function unusable(file: string, error: unknown): KaomonError {
  if (error instanceof WrongAnswer) return wrongNetwork(file, error.message);
  return new KaomonError('NO_MODEL', `The network ${file} cannot be run: ${sentenceOf(error)}`, {
    cause: error,
  });
}

/** Why a provider is not used. */
function refusalOf(file: string, error: unknown): string {
  if (error instanceof WrongAnswer) return `${path.basename(file)} ${error.message}`;
  const reason = sentenceOf(error);
  // ONNX Runtime names the missing library only on standard error.
  return reason.includes('Cuda: Failed to load shared library')
    ? `${reason}: "npm run setup -- --cuda" puts the provider there and names the libraries of NVIDIA that are missing`
    : reason;
}

const sentenceOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

function describeValue(value: InferenceSession.ValueMetadata): ValueInfo {
  return value.isTensor
    ? { name: value.name, type: value.type, shape: value.shape }
    : { name: value.name, type: 'no tensor', shape: [] };
}
