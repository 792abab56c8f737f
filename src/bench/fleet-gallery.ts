import { setTimeout as sleep } from 'node:timers/promises';
import { nameFace } from '../gallery/face-name.js';
import { faceIdOf } from '../gallery/ids.js';
import type { OpenGalleryOptions } from '../gallery/open.js';
import { openRemote } from '../gallery/open-store.js';
import { createDamage } from '../platform/files/damage.js';
import type { Config } from '../settings/config.js';
import { GROUP } from './made-gallery.js';
import { createIdentities } from './vectors.js';

const SEED = 29;
/** People in a call. */
const STEP = 500;

/** Another face of somebody, and who it is. */
export interface Probe {
  faceid: string;
  vector: Float32Array;
}

/** Fills the gallery with whoever is missing. @returns other faces of some of them */
export async function fillMilvus(
  config: Config,
  { id: pack, embedder: { length }, templates }: OpenGalleryOptions['pack'],
  size: number,
): Promise<{ probes: Probe[]; seconds: number; settled: number }> {
  const store = await openRemote(config, {
    ...{ pack, length, templates, warn: () => undefined },
    damage: createDamage(() => undefined),
  });
  await store.prepare();
  const made = createIdentities(length, SEED);
  const probes: Probe[] = [];
  const every = Math.max(1, Math.floor(size / 1000));
  const at = new Date(Date.UTC(2026, 0, 1));
  const began = performance.now();
  const there = await store.pages.count({});
  for (let from = 0; from < size; from += STEP) {
    const people = Array.from({ length: Math.min(STEP, size - from) }, (_, i) => {
      const faceid = faceIdOf(GROUP, `u${String(from + i).padStart(9, '0')}`);
      const person = made.direction();
      const vector = made.faceOf(person);
      if ((from + i) % every === 0) probes.push({ faceid, vector: made.faceOf(person) });
      const face = {
        id: nameFace(faceid, at, false),
        faceid,
        enrolledAt: at.toISOString().replace('.000', ''),
      };
      const profile = { username: `Person ${from + i}`, metadata: {} };
      return { faceid, profile, faces: [{ face: { ...face, automatic: false, hasPicture: false }, vector }] };
    });
    if (from + people.length > there) await store.addPeople(people);
  }
  await store.journal.carried();
  const seconds = (performance.now() - began) / 1000;
  while ((await store.engine.count()) < size) await sleep(500);
  // Until then every worker has what is newest in memory as well.
  while ((await store.journal.unsettled()) > 0) {
    await store.recover();
    await sleep(500);
  }
  const settled = (performance.now() - began) / 1000;
  await store.close();
  return { probes, seconds, settled };
}
