/** What a person's folder holds besides faces: the faces of which somebody said that they are not theirs. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import {
  createDurably,
  hasCode,
  makeFolder,
  namesIn,
  stage,
  type Staged,
  syncFolder,
  unlessMissing,
} from '../../platform/files/durable.js';
import type { Reserve } from '../../platform/files/reserve.js';
import { checkEmbedding } from '../embedding.js';
import { splitFaceId } from '../ids.js';
import { CORRECTION, isPerson, type Layout } from './file-layout.js';
import { encodeNpy } from './npy.js';
import type { EmbeddingStore } from './store.js';

type Methods = Pick<EmbeddingStore, 'corrected' | 'addCorrection' | 'removeCorrection'>;

/**
 * @param length numbers in a vector of this pack
 * @param ensureProfile makes a person without a name keep existing when the last face goes
 */
export function createFileCorrections(
  layout: Layout,
  length: number,
  {
    reserve,
    ensureProfile,
  }: {
    reserve: Pick<Reserve, 'spend'>;
    ensureProfile: (faceid: string, names: readonly string[]) => Promise<void>;
  },
): Methods {
  const namesOf = (faceid: string) => namesIn(layout.personFolder(faceid));

  async function add(...[correction, vector, crop]: Parameters<Methods['addCorrection']>): Promise<boolean> {
    const { faceid } = correction;
    checkEmbedding(vector, length);
    const names = await namesOf(faceid);
    if (!isPerson(names)) return false;
    const staged: Staged[] = [];
    try {
      await ensureProfile(faceid, names);
      await markCorrected(layout, faceid);
      if (crop) staged.push(await stage(layout.pictureFile(correction), crop));
      // Last, because it makes the correction count.
      staged.push(await stage(layout.correctionFile(correction), encodeNpy(vector)));
      for (const one of staged) await one.place();
      await syncFolder(layout.personFolder(faceid));
      // Another process may have found no correction a moment ago, and removed it.
      await markCorrected(layout, faceid);
      return true;
    } catch (error) {
      for (const one of staged) await one.discard();
      await rm(layout.correctionFile(correction), { force: true });
      await rm(layout.pictureFile(correction), { force: true });
      await unmarkCorrected(layout, faceid).catch(() => undefined);
      // Another process has deleted the person meanwhile.
      if (hasCode(error, 'ENOENT') && !isPerson(await namesOf(faceid))) return false;
      throw error;
    }
  }

  async function remove(correction: { faceid: string; id: string }): Promise<boolean> {
    const removed = await unlessMissing(rm(layout.correctionFile(correction)).then(() => true));
    if (!removed) return false;
    await rm(layout.pictureFile(correction), { force: true });
    await unlessMissing(syncFolder(layout.personFolder(correction.faceid)));
    await unmarkCorrected(layout, correction.faceid);
    return true;
  }

  return {
    async corrected() {
      const people = (await namesIn(layout.correctedFolder)).filter((name) => splitFaceId(name));
      const there: string[] = [];
      for (const faceid of people) if (!(await unmarkCorrected(layout, faceid))) there.push(faceid);
      return there;
    },

    addCorrection: add,
    removeCorrection: (correction) => reserve.spend(() => remove(correction)),
  };
}

/** Notes that a person has corrections, or is about to. */
export async function markCorrected(layout: Layout, faceid: string): Promise<void> {
  await makeFolder(layout.correctedFolder);
  await createDurably(layout.correctedFile(faceid), '');
}

/** @returns false when the person has corrections, so that the note stays */
export async function unmarkCorrected(layout: Layout, faceid: string): Promise<boolean> {
  const has = async () => hasCorrections(await namesIn(layout.personFolder(faceid)));
  if (await has()) return false;
  try {
    await rm(layout.correctedFile(faceid), { force: true });
  } catch (error) {
    // On a gallery that cannot be written it stays, which costs a look at each start.
    if (!hasCode(error, 'EROFS', 'EACCES', 'EPERM')) throw error;
    return true;
  }
  // Another process may have added one meanwhile.
  if (!(await has())) return true;
  await markCorrected(layout, faceid);
  return false;
}

/** @param names of a person's files */
export const hasCorrections = (names: readonly string[]): boolean =>
  names.some((name) => path.extname(name) === CORRECTION);
