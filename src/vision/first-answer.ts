import { KaomonError } from '../platform/errors.js';
import { keepFingerprint, knownFingerprint } from '../models/packs/fingerprints.js';
import type { Fingerprint } from '../models/types.js';
import type { Network, NetworkInput } from './network.js';
import { areSame, fingerprintOf, LEAST_COSINE, nameInput, plainFault, strangeness } from './self-check.js';

/** How the first answer of a network is checked. */
export interface Expectation {
  /** The outputs to check. Default: all. */
  outputs?: readonly string[];
  /** Least cosine to the fingerprint. */
  least?: number;
}

/** A network's first answer. */
export interface FirstAnswer extends Expectation {
  provider: string;
  /** Path of the network. */
  file: string;
  inputs: Record<string, NetworkInput>;
  answers: Record<string, Float32Array>;
}

/** Opens a network on the CPU, neither optimised nor from the cache. */
type OpenPlainly = () => Promise<Network>;

/**
 * Compares the first answer of a network with its fingerprint, which is made when there is none.
 * @returns what is wrong ("answers zeros"), or undefined
 * @throws KaomonError NO_MODEL when the network itself is faulty
 */
export async function faultOfFirst(
  first: FirstAnswer,
  openPlainly: OpenPlainly,
): Promise<string | undefined> {
  const counted = only(first.answers, first.outputs);
  const fault = plainFault(counted);
  if (fault && first.provider === 'cpu') return fault;
  // Even for a GPU that answers zeros, because the network itself may be faulty.
  const expected = await expectedOf(first, openPlainly);
  return fault ?? (expected && strangeness(counted, expected, first.least ?? LEAST_COSINE));
}

/** @returns undefined on a CPU when there is none and none can be stored: the CPU is then trusted */
async function expectedOf(first: FirstAnswer, openPlainly: OpenPlainly): Promise<Fingerprint | undefined> {
  const { file, inputs, provider } = first;
  const input = nameInput(inputs);
  const known = await knownFingerprint(file, input);
  if (known) return known;
  const make = () => makeFingerprint(first, input, openPlainly);
  try {
    return await keepFingerprint(file, input, make);
  } catch (error) {
    if (error instanceof KaomonError) throw error;
    return provider === 'cpu' ? undefined : await make();
  }
}

/**
 * The fingerprint of what the CPU answers with the unoptimised network, so that optimised and cached forms are compared
 * with something independent of them.
 * @throws KaomonError NO_MODEL when the network itself is faulty
 */
async function makeFingerprint(
  { file, inputs, outputs }: FirstAnswer,
  input: string,
  openPlainly: OpenPlainly,
): Promise<Fingerprint> {
  const network = await openPlainly();
  try {
    const answer = async (change: (data: Float32Array) => Float32Array) => {
      const changed = Object.entries(inputs).map(([name, { data, shape }]): [string, NetworkInput] => [
        name,
        { data: change(data), shape },
      ]);
      const answers = only(await network.run(Object.fromEntries(changed)), outputs);
      return Object.fromEntries(Object.entries(answers).map(([name, numbers]) => [name, numbers.slice()]));
    };
    const answers = await answer((data) => data);
    const fault = plainFault(answers);
    if (fault) throw wrongNetwork(file, fault);
    // A network that answers the same to the reversed input and to plain grey does not use its input.
    const others = [
      await answer((data) => data.slice().reverse()),
      await answer((data) => new Float32Array(data.length).fill(data[0])),
    ];
    if (others.every((other) => areSame(answers, other)))
      throw wrongNetwork(file, 'answers the same whatever it is shown');
    return fingerprintOf(input, answers);
  } finally {
    await network.release();
  }
}

/** @param fault "answers zeros" */
export function wrongNetwork(file: string, fault: string): KaomonError {
  return new KaomonError(
    'NO_MODEL',
    `The network ${file} cannot be used: it ${fault}. Remove it, so that it is built anew, or put it there again, if it is your own.`,
  );
}

/** The float32 answers of these outputs. */
function only(
  answers: Record<string, Float32Array>,
  outputs: readonly string[] | undefined,
): Record<string, Float32Array> {
  const counted = Object.entries(answers).filter(
    ([name, numbers]) => numbers instanceof Float32Array && (outputs?.includes(name) ?? true),
  );
  return Object.fromEntries(counted);
}
