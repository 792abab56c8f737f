import { squaredDistance } from '../distance.js';
import type { Hit } from '../index/vector-index.js';
import { createEngineState } from './engine-state.js';
import type { VectorEngine } from './engine.js';
import { connectMilvus, type MilvusSdk, succeeded } from './milvus-client.js';
import { type CollectionOptions, countIn, openCollection, requireHeld, STRONG } from './milvus-collection.js';

/** Of Milvus's levels: what is older than its bound, 5 seconds, is seen. */
const BOUNDED = 2;
/** Three times Milvus's bound: its clocks may differ. */
const SETTLES = 15_000;
/** The largest `k` that Milvus takes. */
const MOST = 16_384;
/** Rows in a call, well below its 64 MB. */
const WRITTEN = 1000;
/** Ids in a call. */
const ASKED = 500;
/** How often it is asked whether it still has its vectors, milliseconds. */
const LOOK_EVERY = 30_000;
/** Oldest version that was tried. */
const LEAST = [2, 3];

/**
 * A pack's vectors in Milvus.
 * @param options warn: told when Milvus goes away, and when it is back; patience: how long it may take until Milvus answers,
 * milliseconds
 * @throws KaomonError SETUP
 */
export async function openMilvus(
  options: CollectionOptions & { warn: (message: string) => void; patience?: number },
): Promise<VectorEngine> {
  const sdk = await connectMilvus(options.config, options.patience);
  try {
    await checkVersion(sdk, options.warn);
    return await engineOn(sdk, options);
  } catch (error) {
    await sdk.closeConnection().catch(() => undefined);
    throw error;
  }
}

/** As {@link openMilvus}, on a client that is connected. @param options lookEvery: for tests */
export async function engineOn(
  sdk: MilvusSdk,
  options: CollectionOptions & { warn: (message: string) => void; lookEvery?: number },
): Promise<VectorEngine> {
  const { config, warn, lookEvery = LOOK_EVERY } = options;
  const { name, kind, search: params, rounds } = await openCollection(sdk, options);
  const of = { collection_name: name };
  let looked = performance.now();
  const state = createEngineState({
    limit: config.MILVUS_TIMEOUT,
    warn,
    async ping() {
      const { isHealthy, reasons } = succeeded(await sdk.checkHealth());
      if (!isHealthy) throw new Error(`Milvus is not well: ${reasons.join(', ')}`);
      // It answers for a while before its collections can be searched.
      const { state: loaded } = succeeded(await sdk.getLoadState(of));
      if (!loaded.endsWith('StateLoaded')) throw new Error('Milvus is still loading the gallery.');
      // Or the whole gallery would be strangers.
      await requireHeld(sdk, options, name);
      looked = performance.now();
    },
  });

  /** Asks in calls of so many. */
  async function inParts<T, U>(
    all: readonly T[],
    most: number,
    ask: (part: T[]) => Promise<U>,
  ): Promise<U[]> {
    const answers: U[] = [];
    for (let at = 0; at < all.length; at += most)
      answers.push(await state.run(() => ask(all.slice(at, at + most))));
    return answers;
  }

  const queryRows = (ids: readonly string[], fields: string[], level: number) =>
    inParts(ids, ASKED, async (part) => {
      const query = { filter: among('id', part), output_fields: fields, consistency_level: level };
      return succeeded(await sdk.query({ ...of, ...query })).data;
    });

  return {
    kind: `milvus ${kind}`,
    settles: SETTLES,
    most: MOST,

    async search(query, k, groups) {
      const filter = groups && among('group', [...groups]);
      if (groups?.size === 0) return [];
      const asked = {
        ...{ data: [...query], anns_field: 'vector', limit: Math.min(k, MOST), metric_type: 'L2' },
        ...{ params: { ...params, ...(params.ef && { ef: Math.max(params.ef, k) }) } },
        ...{ output_fields: rounds ? ['id', 'vector'] : ['id'], consistency_level: BOUNDED },
        ...(filter && { filter }),
      };
      const { results } = await state.run(async () => succeeded(await sdk.search({ ...of, ...asked })));
      const hits = results.map(({ id, score, vector }): Hit => {
        return { id, distance: vector ? squaredDistance(Float32Array.from(vector), query) : score };
      });
      return hits.sort((a, b) => a.distance - b.distance);
    },

    async vectors(ids, { fresh = false } = {}) {
      const rows = (await queryRows(ids, ['id', 'vector'], fresh ? STRONG : BOUNDED)).flat();
      return new Map(rows.map(({ id, vector }) => [id as string, Float32Array.from(vector as number[])]));
    },

    async held(ids, { fresh = false } = {}) {
      const rows = (await queryRows(ids, ['id'], fresh ? STRONG : BOUNDED)).flat();
      return new Set(rows.map(({ id }) => id as string));
    },

    async write(rows) {
      await inParts(rows, WRITTEN, async (part) => {
        const data = part.map((row) => ({ ...row, vector: [...row.vector] }));
        const { err_index: failed = [] } = succeeded(await sdk.upsert({ ...of, data }));
        if (failed.length > 0)
          throw new Error(`Milvus did not take ${failed.length} of ${part.length} rows.`);
      });
    },

    async remove(ids) {
      await inParts(ids, ASKED, async (part) =>
        succeeded(await sdk.delete({ ...of, filter: among('id', part) })),
      );
    },

    count: () => state.run(() => countIn(sdk, name)),

    async compact() {
      await state.run(async () => succeeded(await sdk.compact(of)));
    },

    trouble: () => state.trouble(),

    async obstacle() {
      await state.check(performance.now() - looked >= lookEvery);
      return state.trouble();
    },

    async close() {
      state.close();
      await sdk.closeConnection().catch(() => undefined);
    },
  };
}

/** A condition on a field. Ids hold nothing that must be escaped; JSON's quotes are Milvus's. */
const among = (field: string, values: readonly string[]): string => `${field} in ${JSON.stringify(values)}`;

async function checkVersion(sdk: MilvusSdk, warn: (message: string) => void): Promise<void> {
  const { version } = succeeded(await sdk.getVersion());
  const [major, minor] = (/^v?(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number);
  const isOld = major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1]);
  if (isOld || Number.isNaN(major))
    warn(`Milvus ${version} is older than any that was tried: ${LEAST.join('.')} or newer is expected.`);
}
