import { stat } from 'node:fs/promises';
import { KaomonError } from '../../platform/errors.js';
import { type Component, isPublished } from '../component.js';
import { componentsOf } from './auto.js';
import { type ComponentContext, ensureComponent, isAtHand } from './component-store.js';
import { PACKS } from './packs.js';
import { allComponents } from './prepare.js';
import { checkWeights, haveWeights, namesOfWeights } from '../weights/sources.js';

/** What {@link installFrom} achieved. */
export interface Installation {
  /** Packs that are complete now. */
  readonly packs: readonly string[];
  /** What would complete others: for each the files, or the packages that hold them. */
  readonly missing: readonly string[];
}

/**
 * Builds every network whose published weights are in a place: files that were carried over to a machine without
 * internet. The files are only read and may be removed afterwards. Every file is checked before anything is built, even
 * if its network is here already: a place with one damaged file is refused and changes nothing.
 * @param place a folder, or one of the files
 * @throws KaomonError SETUP when there is no such place, it holds none of the files, or one of them is damaged
 */
export async function installFrom(place: string, context: ComponentContext): Promise<Installation> {
  await stat(place).catch((cause: unknown) => {
    throw new KaomonError('SETUP', `There is no file or folder ${place}.`, { cause });
  });
  const there: ComponentContext = { ...context, sourceDirs: [place] };
  const missing: string[] = [];
  const incomplete = new Set<Component>();
  const complete: Component[] = [];
  for (const component of allComponents().filter(isPublished)) {
    await checkWeights(component, [place]);
    if (await haveWeights(component, [place])) {
      complete.push(component);
      continue;
    }
    if (await isAtHand(component, context)) continue;
    incomplete.add(component);
    missing.push(`${component.title} (${namesOfWeights(component).join('; or ')})`);
  }
  if (complete.length === 0) {
    throw new KaomonError(
      'SETUP',
      `${place} does not hold the weights of ${missing.join(', ')}: no pack can be built from it.`,
    );
  }
  for (const component of complete) await ensureComponent(component, there);
  const packs = PACKS.filter((pack) => {
    const parts = componentsOf(pack);
    return parts.some(isPublished) && !parts.some((part) => incomplete.has(part));
  });
  return { packs: packs.map(({ id }) => id), missing };
}
