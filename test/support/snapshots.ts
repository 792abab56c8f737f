import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { createFileLog } from '../../src/events/file-log.js';
import { nameFace } from '../../src/gallery/face-name.js';
import { type SnapshotPlace, openNewest, snapshotsFolder } from '../../src/gallery/snapshot/catalogue.js';
import { makeSnapshot, type MakeOptions } from '../../src/gallery/snapshot/writer.js';
import { acrossPacks } from '../../src/gallery/store/across-packs.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import type { Face } from '../../src/gallery/types.js';
import { temporaryFolder } from './temporary.js';
import { randomUnitVector, seededRandom } from './vectors.js';

/** Numbers in a vector of {@link snapshotted}'s galleries. */
export const LENGTH = 8;

/** A gallery in a folder and its snapshots. */
export async function snapshotted(t: TestContext, given?: string) {
  const folder = given ?? (await temporaryFolder(t));
  const random = seededRandom(5);
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const log = createFileLog({ folder: path.join(folder, 'events') });
  t.after(() => log.close());
  const store = acrossPacks(createFileStore({ folder, pack: 'tiny', length: LENGTH, warn }));
  await store.prepare();
  const place: SnapshotPlace = { folder, pack: 'tiny', length: LENGTH, templates: true, log: 'file' };
  let made = 0;
  return {
    ...{ folder, store, log, place, warnings },
    vector: () => randomUnitVector(random, LENGTH),
    /** Each a second later than the one before. */
    async addFace(
      faceid: string,
      options: { username?: string; crop?: boolean; vector?: Float32Array } = {},
    ) {
      made += 1;
      const at = new Date(Date.UTC(2026, 0, 1, 0, 0, made));
      const id = nameFace(faceid, at, false);
      const face: Face = {
        ...{ id, faceid, enrolledAt: at.toISOString().replace('.000', ''), automatic: false },
        hasPicture: options.crop ?? false,
      };
      const vector = options.vector ?? randomUnitVector(random, LENGTH);
      const { username } = options;
      await store.addFace(face, vector, {
        ...(options.crop && { crop: Uint8Array.of(1, 2, 3) }),
        ...(username !== undefined && { profile: { username, metadata: {} } }),
      });
      return { face, vector };
    },
    make: (options: Partial<MakeOptions> = {}) =>
      makeSnapshot({ place, store, log, warn, settled: 0, ...options }),
    newest: () => openNewest(place, warn),
    /** The names in the snapshots' folder. */
    names: async () => (await readdir(snapshotsFolder(place))).sort(),
  };
}
