/** A network ready to run. A run blocks its thread, so only vision threads call it. */
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
  /** A name or an empty string stands for any size. */
  readonly shape: readonly (number | string)[];
}

export interface NetworkInput {
  /** Not copied; only read during the run. */
  data: Float32Array;
  shape: readonly number[];
}
