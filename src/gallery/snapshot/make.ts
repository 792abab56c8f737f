import { openLog } from '../../events/open-log.js';
import { KaomonError } from '../../platform/errors.js';
import { createDamage, type Damaged } from '../../platform/files/damage.js';
import { logSettings, openStore, type StoreConfig } from '../open-store.js';
import type { SnapshotPlace } from './catalogue.js';
import { makeSnapshot, type MakeOptions, type SnapshotReport } from './writer.js';

export interface MakeHereOptions extends Pick<MakeOptions, 'signal' | 'warn' | 'onProgress' | 'onWait'> {
  /** Told of everything damaged that is found in the store. */
  onDamage: (damaged: Damaged) => void;
}

/**
 * Makes a snapshot in this process, with a store and a log of its own.
 * @throws KaomonError SETUP, STORAGE_FULL, STORE_UNAVAILABLE; the signal's reason; system errors
 */
export async function makeSnapshotHere(
  config: StoreConfig,
  place: SnapshotPlace,
  { onDamage, ...options }: MakeHereOptions,
): Promise<SnapshotReport> {
  const settings = await logSettings(config);
  if (!settings)
    throw new KaomonError(
      'SETUP',
      'With EVENT_LOG=none nothing says what has changed since a snapshot: there are none.',
    );
  const damage = createDamage((_message, damaged) => onDamage(damaged));
  const log = await openLog(settings, () => undefined);
  try {
    const store = await openStore(config, place.pack, place.length, damage);
    try {
      await store.recover();
      return await makeSnapshot({ ...options, place, store, log });
    } finally {
      await store.close();
    }
  } finally {
    await log.close();
  }
}
