import { randomUUID } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder, sweepFolder, unlessMissing } from '../../../platform/files/durable.js';
import { quietMessage } from '../../../platform/quiet-error.js';
import { type Database, openDatabase } from '../database.js';
import type { SharedSettings } from '../settings.js';
import { compareClocks } from './clock.js';
import { openSharedLog, type SharedLog } from './log.js';
import { putPlace } from './place.js';
import { copyOf, createRebasing, type Rebasing } from './rebase.js';
import { createReplica } from './replica.js';

export interface ReplicaOptions extends SharedSettings {
  /** This machine's copy. */
  file: string;
  warn: (message: string) => void;
}

/** How long a machine may take to begin, and how often others look whether it has, milliseconds. */
const BEGINS = 60_000;
const LOOK = 100;

/** Opens one machine's copy of what several share in Redis. */
export async function openReplica({ file, redis, pack, own, warn }: ReplicaOptions) {
  // Copies of everything, which a process that was killed has left.
  await sweepFolder(path.dirname(file));
  const log = openSharedLog(redis, pack);
  const open = async () => {
    const database = await openDatabase(file);
    const rebasing = createRebasing(database, log, file, (error) =>
      warn(`What was shared of the sightings cannot be put together in Redis: ${quietMessage(error)}`),
    );
    return { database, rebasing };
  };
  try {
    await compareClocks(log, warn);
    const isFirst = own !== undefined && (await beginWith(own, file, log));
    let { database, rebasing } = await open();
    if (isFirst && !(await publishFirst(database, rebasing, log))) {
      // Another machine, which had nothing to begin with, was faster.
      database.close();
      await rm(file);
      ({ database, rebasing } = await open());
    }
    return { database, replica: createReplica(database, log, rebasing, warn) };
  } catch (error) {
    log.close();
    throw error;
  }
}

async function publishFirst(database: Database, rebasing: Rebasing, log: SharedLog): Promise<boolean> {
  database.write(() => putPlace(database, { position: 1, mark: randomUUID() }));
  try {
    return await rebasing.publish({ isFirst: true });
  } finally {
    await log.rest(0).catch(() => undefined);
  }
}

const isThere = async (file: string) => (await unlessMissing(stat(file))) !== undefined;

/**
 * Takes a copy of what this machine kept alone, where no machine shares anything yet; its other workers wait for it. The file
 * itself stays: what is in it is erased as it grows old (left.ts).
 */
async function beginWith(own: string, file: string, log: SharedLog): Promise<boolean> {
  for (;;) {
    if ((await isThere(file)) || !(await isThere(own)) || !(await log.isEmpty())) return false;
    if (await log.turn(BEGINS)) break;
    await sleep(LOOK);
  }
  await makeFolder(path.dirname(file), 0o700);
  const name = `${copyOf(file)}.first`;
  await rm(name, { force: true });
  const database = await openDatabase(own);
  try {
    database.copyTo(name);
  } finally {
    database.close();
  }
  await rename(name, file);
  return true;
}
