import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Damage } from '../../platform/files/damage.js';
import { syncFolder, unlessMissing, writeDurably } from '../../platform/files/durable.js';
import { passOver, setAside } from '../../platform/files/set-aside.js';
import { readSmall, UnfitFile } from '../../platform/files/small-file.js';
import type { Layout } from './file-layout.js';
import { isThreshold } from './profile.js';
import type { EmbeddingStore } from './store.js';

const MOST_BYTES = 1000;
const NAME = '.threshold.json';

/** The threshold that somebody chose for a pack, in its folder. */
export function createFileThreshold(
  layout: Layout,
  damage: Damage,
): Pick<EmbeddingStore, 'readThreshold' | 'saveThreshold'> {
  const file = path.join(layout.packFolder, NAME);
  const what = path.join(layout.pack, NAME);
  return {
    async readThreshold() {
      try {
        const text = await unlessMissing(readSmall(file, MOST_BYTES));
        if (text === undefined) return undefined;
        const value = (JSON.parse(text.toString('utf8')) as { identical?: unknown } | null)?.identical;
        if (isThreshold(value)) return value;
        await setAside(layout.folder, what, 'it holds no threshold', damage);
      } catch (error) {
        if (error instanceof UnfitFile || error instanceof SyntaxError)
          await setAside(layout.folder, what, 'it holds no threshold', damage);
        else passOver(error, what, damage);
      }
      return undefined;
    },

    async saveThreshold(identical) {
      if (identical !== undefined) return writeDurably(file, `${JSON.stringify({ identical })}\n`);
      await rm(file, { force: true });
      await syncFolder(layout.packFolder);
    },
  };
}
