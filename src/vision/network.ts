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
