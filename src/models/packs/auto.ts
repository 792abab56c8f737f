/** What `MODEL_PACK=auto` means on this machine, and which better pack it could use. */
import { access, constants, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isAtHand } from './component-store.js';
import { type Component, isPublished } from '../component.js';
import type { ComponentContext } from '../context.js';
import { statFile } from '../files.js';
import { DETECTORS, EMBEDDERS, PACKS, type Pack } from './packs.js';
import type { PackOffer } from '../types.js';

/** People who have a face, by the pack that made their faces. */
export type EnrolledPacks = Readonly<Record<string, number>>;

export interface PrepareContext extends ComponentContext {
  /**
   * Counts who is enrolled, where `auto` has to choose. Left out: nobody is.
   * @throws KaomonError SETUP when that cannot be found out: then nothing is chosen
   */
  readonly enrolledPacks?: () => Promise<EnrolledPacks>;
}

/** What a pack is built from: the embedder, which is the rarer part, and the detector. */
export function componentsOf(pack: Pack): Component[] {
  return [EMBEDDERS[pack.embedder].component, DETECTORS[pack.detector]];
}

/** Whether a pack is built, or can be built without fetching anything. */
export async function packIsAtHand(pack: Pack, context: ComponentContext): Promise<boolean> {
  const parts = await Promise.all(componentsOf(pack).map((component) => isAtHand(component, context)));
  return parts.every(Boolean);
}

/** Marks in the models folder that a start has tried to fetch better packs. */
const TRIED = '.fetch-tried';

/**
 * Whether a start should try to fetch a better pack: only once, and not where one was carried over. Later starts must
 * not wait for a host that cannot be reached.
 */
export async function isFirstStart(context: ComponentContext): Promise<boolean> {
  if ((await statFile(path.join(context.modelsDir, TRIED))) !== undefined) return false;
  if (await isReadOnly(context.modelsDir)) return false;
  const fetched = PACKS.filter((pack) => componentsOf(pack).some(isPublished));
  const here = await Promise.all(fetched.map((pack) => packIsAtHand(pack, context)));
  return !here.includes(true);
}

async function isReadOnly(folder: string): Promise<boolean> {
  return await access(folder, constants.W_OK).then(
    () => false,
    (error: unknown) => (error as NodeJS.ErrnoException).code !== 'ENOENT',
  );
}

/** Call it after trying to fetch, with or without success. If the mark cannot be written, the next start tries again. */
export async function markFetchTried({ modelsDir }: ComponentContext): Promise<void> {
  await writeFile(path.join(modelsDir, TRIED), `${new Date().toISOString()}\n`).catch(() => undefined);
}

/**
 * The pack that most people are enrolled with; of equal ones the best. Embeddings of different packs are never
 * compared, so with any other choice these people would not be found.
 * @returns undefined when nobody is enrolled
 */
export function packOfMost(enrolled: EnrolledPacks): { id: string; others: string[] } | undefined {
  const rank = (id: string) => {
    const place = PACKS.findIndex((pack) => pack.id === id);
    return place < 0 ? PACKS.length : place;
  };
  const packs = Object.entries(enrolled)
    .filter(([, people]) => people > 0)
    .sort(([a, m], [b, n]) => n - m || rank(a) - rank(b) || (a < b ? -1 : 1));
  if (packs.length === 0) return undefined;
  const [[id], ...others] = packs;
  return { id, others: others.map(([other, people]) => `${other} (${people})`) };
}

/** The best pack that can be had without fetching anything; one needs only packages that we depend on. */
export async function bestAtHand(context: ComponentContext): Promise<Pack | undefined> {
  for (const pack of PACKS) {
    if (await packIsAtHand(pack, context)) return pack;
  }
  return undefined;
}

/** A better pack than the one that people are enrolled with, if this machine has one. Users' own packs are not ranked. */
export async function offerBetter(id: string, context: ComponentContext): Promise<PackOffer | undefined> {
  const place = PACKS.findIndex((pack) => pack.id === id);
  const best = place > 0 ? await bestAtHand(context) : undefined;
  if (!best || PACKS.indexOf(best) >= place) return undefined;
  const command = `npm run reembed -- --from ${id} --to ${best.id}`;
  return { pack: best.id, title: best.title, command };
}

/**
 * Sentences about packs better than the one that people are enrolled with: what to do, and what happens to those
 * people.
 * @returns undefined where there is nothing to say
 */
export function describeBetter(id: string, offer: PackOffer | undefined): string | undefined {
  const here =
    offer &&
    `A better pack is here: ${offer.pack} (${offer.title}). Everyone stays with ${id} until you change over: ${offer.command}, then MODEL_PACK=${offer.pack} npm start. ` +
      `That takes the pictures that were kept with KEEP_FACES=true; people without one must be enrolled again. The gallery of ${id} stays on disk.`;
  const better = PACKS.slice(
    0,
    Math.max(
      0,
      PACKS.findIndex((pack) => pack.id === (offer?.pack ?? id)),
    ),
  );
  const elsewhere =
    better.length > 0 &&
    `${offer ? 'Still better ones' : 'Better ones'} may be had by npm run models -- --fetch: ${better.map((pack) => pack.id).join(', ')}.${offer ? '' : ` Everyone stays with ${id}.`}`;
  return [here, elsewhere].filter(Boolean).join(' ') || undefined;
}
