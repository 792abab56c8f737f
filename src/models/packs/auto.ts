/** What `MODEL_PACK=auto` means on this machine, and what better pack somebody may change over to. */
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
   * Says who is enrolled; asked where `auto` has to choose. Left out, nobody is.
   * @throws KaomonError SETUP when that cannot be known: then nothing is chosen
   */
  readonly enrolledPacks?: () => Promise<EnrolledPacks>;
}

/** What {@link PrepareContext} takes to say who is enrolled. */
export type AskEnrolled = NonNullable<PrepareContext['enrolledPacks']>;

/** What a pack is built from: the embedder, which is the rarer part, and the detector. */
export function componentsOf(pack: Pack): Component[] {
  return [EMBEDDERS[pack.embedder].component, DETECTORS[pack.detector]];
}

/** Whether a pack is built, or can be from what is on this machine. */
export async function packIsAtHand(pack: Pack, context: ComponentContext): Promise<boolean> {
  const parts = await Promise.all(componentsOf(pack).map((component) => isAtHand(component, context)));
  return parts.every(Boolean);
}

/** Says in the models folder that a start has asked the hosts for better packs. */
const TRIED = '.fetch-tried';

/**
 * Whether a start should ask hosts for a better pack: once, and not where somebody has brought one already. Later
 * starts must not wait for a host that cannot be reached.
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

/** To be called when hosts were asked, whatever came of it. Where it cannot be written the next start asks again. */
export async function markFetchTried({ modelsDir }: ComponentContext): Promise<void> {
  await writeFile(path.join(modelsDir, TRIED), `${new Date().toISOString()}\n`).catch(() => undefined);
}

/**
 * The pack that the enrolled people's faces were made by; of several the one with the most people, of equal ones the
 * best. Vectors of another pack are never compared: any other choice would take these people away.
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

/** The best pack that is at hand, without asking any host; one needs nothing but our own packages. */
export async function bestAtHand(context: ComponentContext): Promise<Pack | undefined> {
  for (const pack of PACKS) {
    if (await packIsAtHand(pack, context)) return pack;
  }
  return undefined;
}

/**
 * A better pack than the one that people are enrolled with, where this machine has one. A pack of somebody's own is not
 * compared with ours.
 */
export async function offerBetter(id: string, context: ComponentContext): Promise<PackOffer | undefined> {
  const place = PACKS.findIndex((pack) => pack.id === id);
  const best = place > 0 ? await bestAtHand(context) : undefined;
  if (!best || PACKS.indexOf(best) >= place) return undefined;
  const command = `npm run reembed -- --from ${id} --to ${best.id}`;
  return { pack: best.id, title: best.title, command };
}

/**
 * What somebody whose people are enrolled with a pack should know of better ones, as sentences: what to do, and what
 * becomes of everyone.
 * @returns undefined where there is nothing to say
 */
export function describeBetter(id: string, offer: PackOffer | undefined): string | undefined {
  const here =
    offer &&
    `A better pack is here: ${offer.pack} (${offer.title}). Everyone stays with ${id} until you change over: ${offer.command}, then MODEL_PACK=${offer.pack} npm start. ` +
      `That takes the pictures that were kept with KEEP_FACES=true; whoever has none must be enrolled again. What is enrolled with ${id} stays on disk.`;
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
