import { stat } from 'node:fs/promises';
import { KaomonError } from '../errors.js';
import type { Component } from './component.js';
import { checkSources, type ComponentContext, ensureComponent, locateSource } from './component-store.js';
import { DETECTORS, EMBEDDERS, PACKS } from './packs.js';

/** What {@link installFrom} made of a folder. */
export interface Installation {
  /** Packs that are complete now. */
  readonly packs: readonly string[];
  /** Published files that would complete others. */
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
  const missing = new Set<string>();
  const incomplete = new Set<Component>();
  const complete: Component[] = [];
  for (const component of publishedComponents()) {
    await checkSources(component, there);
    const absent = await absentSources(component, there);
    absent.forEach((file) => missing.add(file));
    if (absent.length > 0) incomplete.add(component);
    else complete.push(component);
  }
  if (complete.length === 0) {
    throw new KaomonError(
      'SETUP',
      `${place} does not hold ${[...missing].join(', ')}: no pack can be built from it.`,
    );
  }
  for (const component of complete) await ensureComponent(component, there);
  const packs = PACKS.filter(({ detector, embedder }) => {
    const parts: Component[] = [DETECTORS[detector], EMBEDDERS[embedder].component];
    return parts.some(isPublished) && !parts.some((part) => incomplete.has(part));
  });
  return { packs: packs.map(({ id }) => id), missing: [...missing] };
}

function publishedComponents(): Component[] {
  const all: Component[] = [
    ...Object.values(DETECTORS),
    ...Object.values(EMBEDDERS).map(({ component }) => component),
  ];
  return all.filter(isPublished);
}

function isPublished({ sources }: Component): boolean {
  return sources.some(({ kind }) => kind === 'published');
}

async function absentSources(component: Component, context: ComponentContext): Promise<string[]> {
  const found = await Promise.all(component.sources.map((source) => locateSource(source, context)));
  return component.sources.filter((_, i) => found[i] === undefined).map(({ file }) => file);
}
