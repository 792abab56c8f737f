import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { SessionOptions } from '../../src/vision/ort.js';

/** What a provider makes of a right answer. */
export type Spoil = (numbers: Float32Array) => Float32Array;

/** Ways in which a GPU answers wrongly without a word. */
export const SPOILS: Record<string, Spoil> = {
  zeros: (numbers) => new Float32Array(numbers.length),
  NaN: (numbers) => numbers.map((value, i) => (i === numbers.length - 1 ? NaN : value)),
  infinity: (numbers) => numbers.map((value, i) => (i === 0 ? -Infinity : value)),
  'the same number': (numbers) => new Float32Array(numbers.length).fill(0.5),
  'another direction': (numbers) => numbers.slice().reverse(),
  'the opposite': (numbers) => numbers.map((value) => -value),
  'twice as much': (numbers) => numbers.map((value) => 2 * value),
  'a part left out': (numbers) => numbers.map((value, i) => (i < numbers.length / 4 ? 0 : value)),
};

/** A session as it was asked for and what became of it. */
export interface Asked {
  file: string;
  provider: string;
  runs: number;
  released: boolean;
}

/**
 * A machine that seems to have every provider: what it runs runs on the CPU, and is spoiled on those that are broken.
 * @param broken by provider, or `provider file.onnx`; asked for each run, with how many there were before: undefined
 *   spoils nothing
 */
export function brokenMachine(broken: Record<string, (runs: number) => Spoil | undefined>): {
  createSession: NonNullable<SessionOptions['createSession']>;
  asked: Asked[];
} {
  const asked: Asked[] = [];
  const createSession = async (file: string, options: InferenceSession.SessionOptions) => {
    const [wanted] = options.executionProviders ?? [];
    const provider = typeof wanted === 'string' ? wanted : wanted.name;
    const session = await InferenceSession.create(file, { ...options, executionProviders: ['cpu'] });
    const one: Asked = { file, provider, runs: 0, released: false };
    asked.push(one);
    const spoilOf = broken[provider] ?? broken[`${provider} ${file.split('/').at(-1) ?? ''}`];
    const run = async (feeds: InferenceSession.FeedsType) => {
      const results = await session.run(feeds);
      const spoil = (spoilOf as typeof spoilOf | undefined)?.(one.runs);
      one.runs += 1;
      if (!spoil) return results;
      return Object.fromEntries(
        Object.entries(results).map(([name, { data, dims }]) => [
          name,
          new Tensor('float32', spoil(data as Float32Array), dims),
        ]),
      );
    };
    const release = async () => {
      one.released = true;
      await session.release();
    };
    const { inputMetadata, outputMetadata } = session;
    return { inputMetadata, outputMetadata, run, release } as unknown as InferenceSession;
  };
  return { createSession, asked };
}
