/** Milvus's own client, which is installed only where a gallery is on Milvus, and what of it is used here. */
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../settings/config.js';
import { KaomonError } from '../../platform/errors.js';
import { quietMessage } from '../../platform/quiet-error.js';

const PACKAGE = '@zilliz/milvus2-sdk-node';
/** With which it was tried. */
const VERSION = '2.6.17';
/** How long a start waits for Milvus, milliseconds: it may be starting, too. */
const PATIENCE = 30_000;
/** Of gRPC: it knows nobody by that token, which no waiting cures. */
const UNAUTHENTICATED = 16;
/** From one try to connect to the next, milliseconds: gRPC's own pauses grow to two minutes, long after Milvus is back. */
const RECONNECT = { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 1000 };

export type MilvusConfig = Pick<
  Config,
  | 'CACHE_DIR'
  | 'MILVUS_URL'
  | 'MILVUS_TOKEN'
  | 'MILVUS_USER'
  | 'MILVUS_PASSWORD'
  | 'MILVUS_CA'
  | 'MILVUS_FACES'
  | 'MILVUS_INDEX'
  | 'MILVUS_LISTS'
  | 'MILVUS_PROBES'
  | 'MILVUS_REPLICAS'
  | 'MILVUS_TIMEOUT'
  | 'REDIS_PREFIX'
>;

interface Status {
  error_code?: string;
  code?: number;
  reason?: string;
}
/** An answer: a status, or something that has one. */
export type Answer<T = unknown> = T & (Status | { status: Status });

interface Field {
  name: string;
  data_type: string;
  is_primary_key?: boolean;
  is_partition_key?: boolean;
  type_params: { key: string; value: string }[];
}
export interface Collection {
  schema: { fields: Field[] };
}
export interface Index {
  index_descriptions: { field_name: string; params: { key: string; value: string }[]; state?: string }[];
}

type Of = { collection_name: string } & Record<string, unknown>;

/** What is used of the client. */
export interface MilvusSdk {
  connectPromise: Promise<unknown>;
  getVersion(): Promise<Answer<{ version: string }>>;
  checkHealth(): Promise<Answer<{ isHealthy: boolean; reasons: string[] }>>;
  hasCollection(of: Of): Promise<Answer<{ value: boolean }>>;
  createCollection(of: Of): Promise<Answer>;
  describeCollection(of: Of): Promise<Answer<Collection>>;
  createIndex(of: Of): Promise<Answer>;
  describeIndex(of: Of): Promise<Answer<Index>>;
  loadCollection(of: Of): Promise<Answer>;
  releaseCollection(of: Of): Promise<Answer>;
  getLoadState(of: Of): Promise<Answer<{ state: string }>>;
  search(of: Of): Promise<Answer<{ results: { id: string; score: number; vector?: number[] }[] }>>;
  query(of: Of): Promise<Answer<{ data: Record<string, unknown>[] }>>;
  upsert(of: Of): Promise<Answer<{ err_index?: number[] }>>;
  delete(of: Of): Promise<Answer>;
  compact(of: Of): Promise<Answer>;
  flush(of: { collection_names: string[] }): Promise<Answer>;
  dropCollection(of: Of): Promise<Answer>;
  closeConnection(): Promise<unknown>;
}

interface SdkModule {
  MilvusClient: new (options: Record<string, unknown>) => MilvusSdk;
}

/** Where `npm install --prefix` puts it. */
const clientFolder = (cacheDir: string) => path.join(cacheDir, 'milvus');

/** @throws KaomonError SETUP with how to get it */
function loadSdk(cacheDir: string): SdkModule {
  const places = [import.meta.url, path.join(clientFolder(cacheDir), 'package.json')];
  for (const place of places) {
    try {
      return createRequire(place)(PACKAGE) as SdkModule;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  throw new KaomonError(
    'SETUP',
    `INDEX=milvus needs Milvus's client, which is not installed: run "npm install --ignore-scripts --prefix ${clientFolder(cacheDir)} ${PACKAGE}@${VERSION}".`,
  );
}

/**
 * Connects; the connection is made again by itself whenever it breaks.
 * @param patience how long it may take until Milvus answers, milliseconds
 * @throws KaomonError SETUP when the client is not installed, or Milvus does not answer or lets nobody in
 */
export async function connectMilvus(config: MilvusConfig, patience = PATIENCE): Promise<MilvusSdk> {
  const { MilvusClient } = loadSdk(config.CACHE_DIR);
  const { protocol, host, pathname } = new URL(config.MILVUS_URL);
  const isTls = protocol === 'https:';
  const options = {
    address: host.includes(':') ? host : `${host}:19530`,
    ssl: isTls,
    database: pathname.replaceAll('/', '') || 'default',
    ...(config.MILVUS_TOKEN && { token: config.MILVUS_TOKEN }),
    ...(config.MILVUS_USER && { username: config.MILVUS_USER, password: config.MILVUS_PASSWORD }),
    ...(isTls && config.MILVUS_CA && { tls: { rootCert: await readAuthority(config.MILVUS_CA) } }),
    timeout: config.MILVUS_TIMEOUT,
    channelOptions: RECONNECT,
    // What may be repeated, and how often, is decided by who calls.
    maxRetries: 1,
    // It would log what it is asked.
    logLevel: 'none',
  };
  const until = Date.now() + patience;
  for (;;) {
    const client = new MilvusClient(options);
    try {
      await client.connectPromise;
      const { isHealthy } = succeeded(await client.checkHealth());
      if (isHealthy) return client;
      throw new Error('Milvus says that it is not well.');
    } catch (cause) {
      await client.closeConnection().catch(() => undefined);
      if ((cause as { code?: unknown }).code === UNAUTHENTICATED)
        throw new KaomonError(
          'SETUP',
          'Milvus does not let Kaomon in: set MILVUS_TOKEN, or MILVUS_USER and MILVUS_PASSWORD, to what it knows.',
          { cause },
        );
      if (Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        continue;
      }
      throw new KaomonError(
        'SETUP',
        `INDEX=milvus, but Milvus does not answer: see MILVUS_URL, MILVUS_TOKEN and MILVUS_CA. (${quietMessage(cause)})`,
        { cause },
      );
    }
  }
}

async function readAuthority(file: string): Promise<Buffer> {
  return await readFile(file).catch((cause: unknown) => {
    throw new KaomonError('SETUP', `MILVUS_CA=${file} cannot be read.`, { cause });
  });
}

/** The answer, unless it says that it failed. @throws Error with Milvus's reason */
export function succeeded<T>(answer: Answer<T>): T {
  const status = 'status' in answer ? (answer as { status: Status }).status : (answer as Status);
  const { error_code: code, reason = '', code: number = 0 } = status;
  if ((code === undefined || code === 'Success') && number === 0) return answer;
  throw new Error(`Milvus refused (${code ?? number}): ${reason}`);
}
