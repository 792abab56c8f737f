import { stat } from 'node:fs/promises';
import { KaomonError } from '../../platform/errors.js';
import { type Component, isPublished } from '../component.js';
import { type ComponentContext, ensureComponent, isAtHand } from './component-store.js';
import { DETECTORS, EMBEDDERS, PACKS } from './packs.js';
import { checkWeights, haveWeights, namesOfWeights } from '../weights/sources.js';

/** What {@link installFrom} made of a folder. */
export interface Installation {
  /** Packs that are complete now. */
  readonly packs: readonly string[];
  /** What would complete others: for each the files, or the packages that hold them. */
  readonly missing: readonly string[];
}

/**
 * Builds every network whose published weights lie in a place: files that were carried over to a machine without a
 * network. The files themselves are only read and may be taken away afterwards. Every file is looked at before anything
 * is built, also where its network is here already: a place with one damaged file is refused and changes nothing.
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
  for (const component of publishedComponents()) {
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
  const packs = PACKS.filter(({ detector, embedder }) => {
    const parts: Component[] = [DETECTORS[detector], EMBEDDERS[embedder].component];
    return parts.some(isPublished) && !parts.some((part) => incomplete.has(part));
  });
  return { packs: packs.map(({ id }) => id), missing };
}

function publishedComponents(): Component[] {
  const all: Component[] = [
    ...Object.values(DETECTORS),
    ...Object.values(EMBEDDERS).map(({ component }) => component),
  ];
  return [...new Set(all)].filter(isPublished);
}
