import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { KaomonError } from '../platform/errors.js';
import { mappedFile } from '../platform/process-memory.js';
import { onProvider, sessionOptions, type SessionPlace } from '../platform/onnx-runtime.js';
import { type WebgpuTurns, webgpuTurns } from '../platform/webgpu-turns.js';
import { faultOfFirst, type Expectation, wrongNetwork } from './first-answer.js';
import type { Network, NetworkInput, ValueInfo } from './network.js';
import { forgetOptimised, optimisedNetwork } from './optimised.js';

/** The execution providers that can be named; ONNX Runtime silently drops a name that it does not know. */
const PROVIDERS = new Set(['cpu', 'cuda', 'webgpu']);

export interface SessionOptions {
  /** Execution providers in order of preference; `cpu` is tried last whether it is named or not. */
  providers: readonly string[];
  /** Threads inside one run. */
  threads: number;
  /** Which GPU, where one is used: 0 is the first. */
  gpuDevice?: number;
  /** Folder for networks as ONNX Runtime optimises them for this machine; left out, none is kept. */
  cacheDir?: string;
  /** Whose turn it is to use WebGPU in this process; the main thread hands its own to every other. */
  turns?: WebgpuTurns;
  /** Compare what each network answers first with its fingerprint (models/packs/fingerprints.ts). */
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

/** A network runs and answers wrongly. Its message is a predicate: "answers zeros". */
class WrongAnswer extends Error {}

/** A provider answers wrongly, and networks were opened on it already: see {@link Runtime.openAll}. */
class ProviderTakenOut extends Error {}

/** Opens networks on the first execution provider that runs them and answers rightly. */
export class Runtime {
  readonly #options: SessionOptions;
  readonly #turns: WebgpuTurns;
  readonly refused: RefusedProvider[] = [];
  #provider: string | undefined;
  #candidates: string[];
  readonly #open = new Set<Network>();
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
    this.#turns = options.turns ?? webgpuTurns;
    this.#candidates = [...new Set([...options.providers, 'cpu'])];
  }

  /** The provider in use; `cpu` until a network was opened. */
  get provider(): string {
    return this.#provider ?? 'cpu';
  }

  /**
   * Opens several networks, all on one provider. When a later one shows that the provider cannot be trusted, those that
   * are open are released and `open` is called once more, for the next provider.
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
   * Opens a network and runs it once: the proof that the provider works, and the warm-up.
   * @param file path of the `.onnx` file
   * @param probe inputs for the first run; where they depend on what the network declares, a function of it
   * @param threads inside a run, where it is not to be what the settings say
   * @param expected how near its first answer must be to its fingerprint; called once it has answered
   * @throws KaomonError NO_MODEL when not even the CPU runs it, or it answers nothing that can be used, and what `probe`
   *   throws
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
        // The network itself is wrong: another provider would not help.
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

  /** @throws KaomonError for a fault of the network, Error for what may be the provider's */
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

  /** What to open: the network as it is optimised for this machine, where it is kept, then the file itself. */
  async #forms(provider: string, file: string): Promise<(string | undefined)[]> {
    const { cacheDir } = this.#options;
    if (provider !== 'cpu' || !cacheDir) return [undefined];
    // The cache is not needed: a full disk or a damaged file costs time and memory only.
    const optimised = await optimisedNetwork(file, cacheDir).catch(() => undefined);
    return optimised ? [optimised, undefined] : [undefined];
  }

  /** @param asWritten nothing of it optimised */
  async #openFile(file: string, place: SessionPlace, asWritten = false): Promise<Network> {
    const { createSession } = this.#options;
    const options = sessionOptions(place, { optimised: !asWritten });
    const create = () => createSession?.(file, options) ?? InferenceSession.create(file, options);
    return this.#toNetwork(await onProvider(place.provider, this.#turns, create), place.provider);
  }

  /** Opens an optimised network on the bytes of its file: its sessions have no weights of their own. */
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

/** The refusal of a network that even the CPU does not run rightly. */
function unusable(file: string, error: unknown): KaomonError {
  if (error instanceof WrongAnswer) return wrongNetwork(file, error.message);
  return new KaomonError('NO_MODEL', `The network ${file} cannot be run: ${sentenceOf(error)}`, {
    cause: error,
  });
}

/** Why a provider is not taken. */
function refusalOf(file: string, error: unknown): string {
  if (error instanceof WrongAnswer) return `${path.basename(file)} ${error.message}`;
  const reason = sentenceOf(error);
  // Which library is missing, ONNX Runtime says on standard error alone.
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
