/**
 * `node dist/test/support/fingerprints.js` prints what src/models/packs/fingerprints-published.ts holds: to be run and put
 * there whenever the networks that are built have changed, and the goldens say that they are right.
 */
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { KaomonError } from '../../src/platform/errors.js';
import { sha256OfFile } from '../../src/models/files.js';
import type { Fingerprint } from '../../src/models/types.js';
import { PACKS } from '../../src/models/packs/packs.js';
import { preparePack } from '../../src/models/packs/prepare.js';
import type { ReadyPack } from '../../src/models/types.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { createAnalyzer } from '../../src/vision/analyzer.js';
import { SHARED_MISSING, shared } from './shared.js';

/** A network of ours and what the CPU answers with it when it is shown what it is shown at every start. */
export interface Measured extends Fingerprint {
  /** `mtcnn/pnet.onnx`. */
  name: string;
  sha256: string;
}

/** The packs of ours that can be built here; nothing is fetched. */
export async function packsAtHand(): Promise<ReadyPack[]> {
  const context = {
    modelsDir: path.join(PROJECT_ROOT, 'models'),
    ...(!SHARED_MISSING && { sourceDirs: [shared('weights', 'mtcnn')] }),
  };
  const packs = await Promise.all(
    PACKS.map(({ id }) =>
      preparePack(id, context).catch((error: unknown) => {
        if (error instanceof KaomonError) return undefined;
        throw error;
      }),
    ),
  );
  return packs.filter((pack) => pack !== undefined);
}

/** Paths of a pack's networks. */
export function networksOf({ detector, embedder, ageGender }: ReadyPack): string[] {
  const files = Object.values(detector).filter(
    (value): value is string => typeof value === 'string' && path.isAbsolute(value),
  );
  return [...files, embedder.network, ...(ageGender ? [ageGender] : [])];
}

/** Measures every network of the packs anew, whatever is known of them. @param work an empty folder */
export async function measureFingerprints(packs: readonly ReadyPack[], work: string): Promise<Measured[]> {
  const measured = new Map<string, Measured>();
  for (const pack of packs) {
    // A copy has no manifest beside it that says what it is.
    const copies = new Map<string, string>();
    for (const [i, file] of networksOf(pack).entries()) {
      const copy = path.join(work, `${pack.id}-${i}.onnx`);
      await copyFile(file, copy);
      copies.set(file, copy);
    }
    const copied = JSON.parse(JSON.stringify(pack), (_, value: unknown) =>
      typeof value === 'string' ? (copies.get(value) ?? value) : value,
    ) as ReadyPack;
    const analyzer = await createAnalyzer({
      ...{ pack: copied, providers: ['cpu'], threads: 1, maxPixels: 1, minFaceSize: 20 },
    });
    await analyzer.release();
    for (const [file, copy] of copies) {
      const kept = JSON.parse(await readFile(`${copy}.fingerprint.json`, 'utf8')) as Fingerprint;
      const name = path.join(path.basename(path.dirname(file)), path.basename(file));
      measured.set(name, {
        name,
        sha256: await sha256OfFile(file),
        input: kept.input,
        outputs: kept.outputs,
      });
    }
  }
  return [...measured.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function main(): Promise<void> {
  const work = await mkdtemp(path.join(tmpdir(), 'kaomon-fingerprints-'));
  try {
    for (const { name, sha256, input, outputs } of await measureFingerprints(await packsAtHand(), work)) {
      console.log(`  // ${name}\n  ${JSON.stringify({ of: [sha256], input, outputs })},`);
    }
  } finally {
    await rm(work, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
