import assert from 'node:assert/strict';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TINY } from './galleries.js';
import { until } from './until.js';
import { randomUnitVector } from './vectors.js';
import { type GalleryWorker, type Snapshot, startWorker, WorkerError } from './workers.js';

/** A face as the harness remembers it. */
interface KnownFace {
  vector: number[];
  id: string;
}

/** What must hold of a person; `uncertain`: a request about the person failed, so that nobody knows. */
interface KnownPerson {
  userid: string;
  faces: KnownFace[];
  /** What was said not to be theirs. */
  corrections: KnownFace[];
  username: string | undefined;
  uncertain: boolean;
  busy: boolean;
}

export interface ChaosOptions {
  env: Record<string, string>;
  operations: number;
  /** One of the processes is killed after so many operations. */
  killEvery: number;
  random: () => number;
  /** Kills Redis, or what else they share, and starts it again. */
  killRedis?: () => Promise<void>;
  /** How long whoever was refused waits before the next request, milliseconds. */
  pause?: number;
  /** Where snapshots are, to be damaged. */
  snapshots?: string;
}

const WORKERS = 3;
const LANES = 6;
const PEOPLE = 40;
/** How long what they share may stay away once nobody is killed any more, milliseconds. */
const PATIENCE = 60_000;

/**
 * Enrols, deletes, renames, moves and corrects at random through three workers while they, their event managers and Redis are
 * killed at random; then asserts that all workers and the store agree, and with what was acknowledged.
 */
export async function chaos(options: ChaosOptions): Promise<string> {
  const { env, operations, killEvery, random, killRedis, pause = 50, snapshots: damaged } = options;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => startWorker(env)));
  const people: KnownPerson[] = Array.from({ length: PEOPLE }, (_, i) => newPerson(`u${i}`));
  const deleted: number[][] = [];
  /** IDs of corrections that were taken back, or erased with their person. */
  const takenBack: string[] = [];
  const counts = { operations: 0, failed: 0, workers: 0, managers: 0, redis: 0, snapshots: 0 };
  let made = PEOPLE;
  let kills = Promise.resolve();

  async function operate(person: KnownPerson, worker: GalleryWorker): Promise<void> {
    const faceid = `default-${person.userid}`;
    const dice = random();
    if (person.faces.length === 0 || dice < 0.45) {
      const vector = [...randomUnitVector(random, TINY)];
      const { id } = await worker.ask('enrol', 'default', person.userid, vector);
      person.faces.push({ vector, id });
    } else if (dice < 0.57) {
      const vector = [...randomUnitVector(random, TINY)];
      const { id } = await worker.ask('correct', faceid, vector);
      person.corrections.push({ vector, id });
    } else if (dice < 0.64 && person.corrections.length > 0) {
      const one = pick(person.corrections);
      await worker.ask('takeBack', faceid, one.id);
      person.corrections = person.corrections.filter((other) => other !== one);
      takenBack.push(one.id);
    } else if (dice < 0.75) {
      await worker.ask('remove', 'default', person.userid);
      deleted.push(...person.faces.splice(0).map(({ vector }) => vector));
      takenBack.push(...person.corrections.splice(0).map(({ id }) => id));
      person.username = undefined;
    } else if (dice < 0.83) {
      const face = pick(person.faces);
      await worker.ask('removeFace', faceid, face.id);
      person.faces = person.faces.filter((other) => other !== face);
      deleted.push(face.vector);
    } else if (dice < 0.94) {
      const username = `name ${counts.operations}`;
      await worker.ask('rename', faceid, username);
      person.username = username;
    } else {
      const userid = `u${made++}`;
      await worker.ask('move', faceid, 'default', userid);
      for (const face of [...person.faces, ...person.corrections])
        face.id = `default-${userid}${face.id.slice(faceid.length)}`;
      person.userid = userid;
    }
  }

  async function lane(): Promise<void> {
    while (counts.operations < operations) {
      const person = pick(people.filter(({ busy }) => !busy));
      person.busy = true;
      const number = ++counts.operations;
      if (number % killEvery === 0) kills = kills.then(kill);
      try {
        await operate(person, pick(workers));
      } catch (error) {
        // Died or could not: it may have happened or not. Anything else is a wrong answer.
        if (!(error instanceof WorkerError) || (error.code !== 'GONE' && error.code !== 'STORE_UNAVAILABLE'))
          throw error;
        counts.failed += 1;
        person.uncertain = true;
        // The person is left as he is and another takes his place.
        people.push(newPerson(`u${made++}`));
        if (error.code !== 'GONE') await sleep(pause);
        continue;
      }
      person.busy = false;
    }
  }

  async function kill(): Promise<void> {
    const dice = random();
    const at = Math.floor(random() * WORKERS);
    if (killRedis && dice < 0.3) {
      counts.redis += 1;
      await killRedis();
    } else if (dice < 0.65) {
      counts.workers += 1;
      await workers[at].kill();
      if (damaged) counts.snapshots += await damageOne(damaged, random);
      workers[at] = await startWorker(env);
    } else {
      counts.managers += 1;
      const state = await workers[at].ask('state');
      if (state?.pid) killIfThere(state.pid);
    }
  }

  const started = Date.now();
  let seconds: number;
  try {
    await Promise.all(Array.from({ length: LANES }, lane));
    await kills;
    seconds = (Date.now() - started) / 1000;

    // A worker that starts now has nothing but the store to go by.
    workers.push(await startWorker(env));
    let snapshots: Snapshot[] = [];
    await until(async () => {
      snapshots = await Promise.all(workers.map((worker) => worker.ask('snapshot')));
      return snapshots.every((snapshot) => JSON.stringify(snapshot) === JSON.stringify(snapshots[3]));
    }).catch(() => undefined);
    for (const snapshot of snapshots) assert.deepEqual(snapshot, snapshots[3]);
    const [{ people: rows, vectors }] = snapshots;
    // Whoever has several faces has a template, too.
    const held = rows.map(([, , faces]) => faces.length + Number(faces.length > 1));
    if (vectors !== undefined)
      assert.equal(
        vectors,
        held.reduce((sum, count) => sum + count, 0),
      );
    await check(workers, people, deleted, new Map(rows.map((row) => [row[0], row])));
    await checkCorrections(workers, people, takenBack, snapshots[0].corrections);
  } finally {
    // A kill that is still under way brings another worker, which would hold this process for ever.
    await kills.catch(() => undefined);
    await Promise.all(workers.map((worker) => worker.close()));
  }
  const { failed, workers: killed, managers, redis, snapshots: cut } = counts;
  return (
    `${counts.operations} operations in ${seconds.toFixed(0)} s, ${failed} not acknowledged; killed: ${killed} workers, ` +
    `${managers} event managers, Redis ${redis} times; ${cut} snapshots damaged; ${deleted.length} faces deleted, ${snapshotSize(people)} kept for certain, ${takenBack.length} corrections taken back`
  );
}

/**
 * Cuts a file of some snapshot. It takes the old one's place, as a copy that was broken off would: a file that is cut while
 * it is mapped ends whoever reads it.
 * @returns how many were cut
 */
async function damageOne(folder: string, random: () => number): Promise<number> {
  const all = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = all.filter(
    (entry) => entry.isFile() && !entry.name.startsWith('.') && !entry.name.endsWith('.part'),
  );
  const one = files.at(Math.floor(random() * files.length));
  if (!one) return 0;
  const file = path.join(one.parentPath, one.name);
  try {
    const bytes = await readFile(file);
    await writeFile(`${file}.cut`, bytes.subarray(0, Math.floor(random() * bytes.length)));
    await rename(`${file}.cut`, file);
    return 1;
  } catch {
    // It was removed meanwhile.
    return 0;
  }
}

/** A manager may have died since its worker spoke of it. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const newPerson = (userid: string): KnownPerson => ({
  userid,
  faces: [],
  corrections: [],
  username: undefined,
  uncertain: false,
  busy: false,
});

const snapshotSize = (people: KnownPerson[]) =>
  people.filter(({ uncertain }) => !uncertain).reduce((sum, { faces }) => sum + faces.length, 0);

/** What they share may still be busy with what the storm left it. */
async function nearestOf(worker: GalleryWorker, vector: number[]) {
  for (const end = Date.now() + PATIENCE; ;) {
    try {
      return await worker.ask('nearest', vector);
    } catch (error) {
      const isAway = error instanceof WorkerError && error.code === 'STORE_UNAVAILABLE';
      if (!isAway || Date.now() > end) throw error;
      await sleep(500);
    }
  }
}

async function check(
  workers: GalleryWorker[],
  people: KnownPerson[],
  deleted: number[][],
  rows: Map<string, Snapshot['people'][number]>,
): Promise<void> {
  for (const { userid, faces, username, uncertain } of people) {
    if (uncertain) continue;
    const row = rows.get(`default-${userid}`);
    assert.deepEqual([...(row?.[2] ?? [])].sort(), faces.map(({ id }) => id).sort());
    if (username !== undefined) assert.equal(row?.[1], username);
    for (const { vector, id } of faces) {
      for (const worker of workers) assert.equal((await nearestOf(worker, vector))?.face, id);
    }
  }
  for (const vector of deleted) {
    for (const worker of workers) {
      const found = await nearestOf(worker, vector);
      assert.ok(!found || found.distance > 1e-6, 'A deleted face was recognised.');
    }
  }
}

/** What was said holds in every worker, and what was taken back in none. */
async function checkCorrections(
  workers: GalleryWorker[],
  people: KnownPerson[],
  takenBack: readonly string[],
  there: readonly string[],
): Promise<void> {
  const known = new Set(there);
  for (const id of takenBack) assert.ok(!known.has(id), `${id} was taken back and is there.`);
  for (const { userid, corrections, uncertain, faces } of people) {
    if (uncertain) continue;
    const faceid = `default-${userid}`;
    const ids = corrections.map(({ id }) => id).sort();
    assert.deepEqual(there.filter((id) => id.startsWith(`${faceid}_`)).sort(), ids);
    for (const { vector } of corrections) {
      for (const worker of workers) {
        const ruling = await worker.ask('ruling', faceid, vector);
        // Whoever has lost every face is found by nobody, so that there is nothing to rule out.
        if (faces.length === 0) assert.equal(ruling, null);
        else assert.ok(ids.includes(ruling ?? ''), 'It is not heeded.');
        assert.notEqual((await nearestOf(worker, vector))?.faceid, faceid, 'A wrong name came back.');
      }
    }
  }
}
