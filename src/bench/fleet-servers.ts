import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../settings/config.js';
import type { BenchContext } from './effort.js';
import type { Probe } from './fleet-gallery.js';
import type { Frame } from './frames.js';
import { makeGallery } from './made-gallery.js';
import type { BenchPack } from './pack.js';
import { rowOf } from './report.js';
import { type BenchServer, startServer } from './server.js';

/** The largest gallery that is also made as files, to compare with one in memory. */
const MOST_IN_MEMORY = 100_000;
/** Pages of people that are read. */
const PAGES = 5;
/** How often everything is asked before memory is measured: it grows at first, whoever is enrolled. */
const ROUNDS = 3;

export interface FleetServers {
  config: Config;
  bench: BenchPack;
  /** Faces of the gallery that `config` names. */
  size: number;
  probes: readonly Probe[];
  frames: readonly Frame[];
}

/** What a server costs over Milvus: a request beside the same one with the gallery in memory, and its memory by the size. */
export async function benchFleetServers(fleet: FleetServers, context: BenchContext): Promise<void> {
  const { bench, size, config } = fleet;
  const { add, folder } = context;
  const count = size.toLocaleString('en');
  const [none, full] = [`${config.REDIS_PREFIX}-none`, config.REDIS_PREFIX].map((prefix) => ({
    ...bench.env,
    ...elsewhere(config, prefix),
    EMBEDDINGS_DIR: path.join(folder, 'fleet'),
  }));
  const servers: { name: string; server: BenchServer }[] = [];
  const start = async (name: string, env: Record<string, string>) => {
    servers.push({ name, server: await startServer(env) });
  };
  let made: string | undefined;
  try {
    await start('Milvus', full);
    if (size <= MOST_IN_MEMORY) {
      const inMemory = await makeGallery(size, bench, context);
      made = inMemory.folder;
      await start('in memory', inMemory.env);
    }
    await compare(servers, `${count} faces, one caller through HTTP`, fleet, context);
  } finally {
    for (const { server } of servers) await server.end();
    if (made !== undefined) await rm(made, { recursive: true, force: true });
  }
  const place = { section: 'fleet', of: 'a worker over Milvus', unit: 'MB' } as const;
  for (const [who, env] of [
    ['nobody', none],
    [`${count} people`, full],
  ] as const) {
    const server = await startServer(env);
    try {
      await work(server, fleet);
      add(rowOf({ ...place, measure: `memory, ${who}` }, [await server.pss()]));
    } finally {
      await server.end();
    }
  }
}

/** The settings of a server that uses the same Milvus and Redis. */
function elsewhere(config: Config, prefix: string): Record<string, string> {
  const own = Object.entries(config).filter(([name]) => /^(MILVUS|REDIS)_/.test(name));
  return {
    ...Object.fromEntries(own.map(([name, value]) => [name, String(value)])),
    ...{ INDEX: 'milvus', EMBEDDING_STORE: 'redis', EVENT_LOG: 'redis', REDIS_PREFIX: prefix },
    // Milvus's client is there.
    CACHE_DIR: config.CACHE_DIR,
  };
}

/** The servers in turn, so that a busy moment of the machine meets all of them. */
async function compare(
  servers: readonly { name: string; server: BenchServer }[],
  of: string,
  { probes, frames }: FleetServers,
  { effort, add }: BenchContext,
): Promise<void> {
  const [, frame] = frames;
  const calls = {
    [`a picture with ${frame.name}`]: (server: BenchServer) => recognise(server, frame),
    'a vector': (server: BenchServer, i: number) => search(server, probes[i % probes.length]),
  };
  for (const [what, call] of Object.entries(calls)) {
    const samples = servers.map((): number[] => []);
    for (let i = -2; i < effort.repeats; i++) {
      for (const [at, { server }] of servers.entries()) {
        const began = performance.now();
        await call(server, i + 2);
        if (i >= 0) samples[at].push(performance.now() - began);
      }
    }
    for (const [at, { name }] of servers.entries())
      add(rowOf({ section: 'fleet', of, measure: `${what}, ${name}`, unit: 'ms' }, samples[at]));
  }
}

const recognise = (server: BenchServer, { bytes }: Frame) =>
  server.send('POST', '/api/v1/recognise', Uint8Array.from(bytes));

const search = (server: BenchServer, { vector }: Probe) =>
  server.send('POST', '/api/v1/recognition/embeddings/recognize?prediction_count=1', {
    embeddings: [Array.from(vector)],
  });

/** What a worker does all day, so that it knows all that it is ever going to. */
async function work(server: BenchServer, { probes, frames }: FleetServers): Promise<void> {
  for (let i = 0; i < ROUNDS; i++) {
    for (const probe of probes) await search(server, probe);
    for (const frame of frames) await recognise(server, frame);
  }
  for (let i = 0; i < PAGES; i++) await server.send('GET', '/api/v1/people?limit=100');
}
