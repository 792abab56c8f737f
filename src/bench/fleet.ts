import { setTimeout as sleep } from 'node:timers/promises';
import { chooseIndex } from '../gallery/index/choose.js';
import { openGallery } from '../gallery/open.js';
import { openRemote } from '../gallery/open-store.js';
import type { Gallery } from '../gallery/types.js';
import { KaomonError } from '../platform/errors.js';
import { createDamage } from '../platform/files/damage.js';
import { type Config, loadConfig } from '../settings/config.js';
import type { BenchContext } from './effort.js';
import { fillMilvus } from './fleet-gallery.js';
import { benchFleetServers } from './fleet-servers.js';
import type { Frame } from './frames.js';
import { GROUP } from './made-gallery.js';
import type { BenchPack } from './pack.js';
import { rowOf } from './report.js';
import { createIdentities } from './vectors.js';

/** A camera asks so often, milliseconds: for the faces that a tracker is not sure of. */
const EVERY = 1000;
/** How long a worker may take to hear of an enrolment, milliseconds. */
const PATIENCE = 10_000;

/**
 * Cameras and workers over one Milvus: what a search costs with all of them at work, part by part, and how long an enrolment
 * takes to be found through another worker; then what a server costs over it. Needs `MILVUS_URL` and `REDIS_URL`; it makes a
 * gallery under a prefix of its own, of the largest size, and leaves it there.
 */
export async function benchFleet(
  bench: BenchPack,
  frames: readonly Frame[],
  context: BenchContext,
): Promise<void> {
  const { effort, add, note } = context;
  const { pack } = bench;
  const { length } = pack.embedder;
  const usual = loadConfig();
  if (usual.MILVUS_URL === '') {
    note('fleet: left out, because MILVUS_URL is not set.');
    return;
  }
  const size = Math.max(...effort.sizes);
  const config: Config = {
    ...usual,
    ...{ INDEX: 'milvus', EMBEDDING_STORE: 'redis', EVENT_LOG: 'redis' },
    ...{ MILVUS_FACES: size, REDIS_PREFIX: `bench${size}` },
  };
  const of = `${size.toLocaleString('en')} faces, ${effort.workers} workers, ${effort.cameras} cameras`;
  const place = { section: 'fleet', of, unit: 'ms' } as const;
  const made = await fillMilvus(config, pack, size);
  note(
    `fleet: ${size} faces of made people were written in ${made.seconds.toFixed(0)} s, and in no worker's memory after ${made.settled.toFixed(0)} s.`,
  );

  const store = await openRemote(config, {
    ...{ pack: pack.id, length, templates: pack.templates, warn: note },
    damage: createDamage(note),
  });
  const probe = made.probes[0].vector;
  const alone = { ...place, of: `${size.toLocaleString('en')} faces, one caller` };
  const { repeats } = effort;
  add(rowOf({ ...alone, measure: 'Milvus' }, await timeEach(repeats, () => store.engine.search(probe, 16))));
  const faceids = made.probes.slice(0, 5).map(({ faceid }) => faceid);
  add(
    rowOf({ ...alone, measure: 'who they are' }, await timeEach(repeats, () => store.reader.read(faceids))),
  );
  await store.close();

  const workers = await openWorkers(config, pack, effort.workers, note);
  try {
    const first = workers[0];
    add(rowOf({ ...alone, measure: 'search' }, await timeEach(repeats, () => first.nearest(probe, 1))));
    const samples: number[] = [];
    let [wrong, refused] = [0, 0];
    const end = performance.now() + effort.seconds * 1000;
    const camera = async (number: number) => {
      await sleep((number / effort.cameras) * EVERY);
      for (let i = number; performance.now() < end; i += effort.cameras) {
        const { vector, faceid } = made.probes[i % made.probes.length];
        const began = performance.now();
        try {
          const [match] = await workers[number % workers.length].nearest(vector, 1);
          samples.push(performance.now() - began);
          if (match.person.faceid !== faceid) wrong += 1;
        } catch (error) {
          // What is asked too much of.
          if (!(error instanceof KaomonError) || error.statusCode !== 503) throw error;
          refused += 1;
        }
        await sleep(Math.max(0, EVERY - (performance.now() - began)));
      }
    };
    const found: number[] = [];
    const taken: number[] = [];
    const enrolling = (async () => {
      for (let i = 0; performance.now() < end; i++) await enrolOne(workers, i, length, { found, taken });
    })();
    await Promise.all([...Array.from({ length: effort.cameras }, (_, i) => camera(i)), enrolling]);
    add(rowOf({ ...place, measure: 'search' }, samples));
    add(rowOf({ ...place, measure: 'enrolment' }, taken));
    add(rowOf({ ...place, measure: 'found through another worker' }, found));
    note(
      `fleet: ${samples.length} searches, ${wrong} of them found somebody else first; ${refused} were refused.`,
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
  await benchFleetServers({ config, bench, size, probes: made.probes, frames }, context);
}

/** Enrols somebody, waits until another worker finds them, and deletes them. */
async function enrolOne(
  workers: readonly Gallery[],
  number: number,
  length: number,
  { found, taken }: { found: number[]; taken: number[] },
): Promise<void> {
  const vector = createIdentities(length, 1_000_000 + number).direction();
  const one = workers[number % workers.length];
  const other = workers[(number + 1) % workers.length];
  const userid = `new${number}`;
  const began = performance.now();
  await one.enrol({ groupid: GROUP, userid }, vector);
  const answered = performance.now();
  taken.push(answered - began);
  while ((await other.nearest(vector, 1)).at(0)?.person.userid !== userid) {
    if (performance.now() - answered > PATIENCE) throw new Error('An enrolment was not found elsewhere.');
  }
  found.push(performance.now() - answered);
  await one.remove(GROUP, userid);
}

async function openWorkers(
  config: Config,
  pack: BenchPack['pack'],
  count: number,
  note: (message: string) => void,
): Promise<Gallery[]> {
  const opened: Gallery[] = [];
  for (let i = 0; i < count; i++) {
    const index = chooseIndex(config, pack.embedder.length, () => undefined);
    const { gallery } = await openGallery(config, { pack, index, warn: note, follow: true });
    const close = async () => {
      await gallery.close();
      await index.close();
    };
    opened.push({ ...gallery, close });
  }
  return opened;
}

/** Times `work`, after two runs to warm up. @returns milliseconds */
async function timeEach(repeats: number, work: () => unknown): Promise<number[]> {
  const samples: number[] = [];
  for (let i = -2; i < repeats; i++) {
    const began = performance.now();
    await work();
    if (i >= 0) samples.push(performance.now() - began);
  }
  return samples;
}
