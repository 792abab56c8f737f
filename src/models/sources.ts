/** Where a component's weights come from: what is on this machine first, then the registries, then single addresses. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { KaomonError } from '../errors.js';
import type { Component, PublishedSource, Source, WeightsForm, WeightsPackage } from './component.js';
import type { AddressedSource, ComponentContext } from './context.js';
import { renameSynced, sha256OfFile, statFile, writeSynced } from './files.js';
import { registryName } from './registry.js';

/** Folder of published weights below the models folder: fetched, or put there by hand. */
export const SOURCES_FOLDER = 'sources';

/** What a component was built from, as its manifest keeps it. */
export interface SourceRecord {
  file: string;
  /** The npm package of ours, the published package or the address. */
  from: string;
  bytes: number;
  /** Milliseconds. */
  modified: number;
  sha256: string;
}

/** The weights of one form, on this machine and checked. */
export interface GatheredWeights {
  readonly form: WeightsForm;
  readonly sources: readonly { readonly path: string; readonly record: SourceRecord }[];
}

const sourcesFolder = ({ modelsDir }: ComponentContext) => path.join(modelsDir, SOURCES_FOLDER);

/** The path of a file of ours in node_modules, or undefined where its package is not installed. */
export function packagedFile(source: Source & { kind: 'package' }): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    const folder = path.dirname(require.resolve(`${source.package}/package.json`));
    return path.join(folder, source.folder, source.file);
  } catch {
    return undefined;
  }
}

async function firstThere(places: readonly (string | undefined)[]): Promise<string | undefined> {
  for (const place of places) {
    if (place !== undefined && (await statFile(place)) !== undefined) return place;
  }
  return undefined;
}

/** A carried place may be the file, or a folder with it, or what unpacking its package left. */
function pathsIn(place: string, file: string, members: readonly string[]): string[] {
  if (path.basename(place) === file) return [place];
  const unpacked = members.flatMap((member) => [member, member.slice(member.indexOf('/') + 1)]);
  return [file, ...unpacked].map((name) => path.join(place, name));
}

/** Where published weights are looked for. */
export function placesOf(context: ComponentContext): string[] {
  return [...(context.sourceDirs ?? []), sourcesFolder(context)];
}

/** The absolute path of a source, or undefined. Its content has not been checked. */
async function locateSource(
  source: Source,
  { packages = [] }: Pick<WeightsForm, 'packages'>,
  places: readonly string[],
): Promise<string | undefined> {
  if (source.kind === 'package') return await firstThere([packagedFile(source)]);
  const members = packages.map((pkg) => pkg.members[source.file]);
  return await firstThere(places.flatMap((place) => pathsIn(place, source.file, members)));
}

async function locatePackage(pkg: WeightsPackage, places: readonly string[]): Promise<string | undefined> {
  return await firstThere(places.flatMap((place) => pathsIn(place, pkg.file, [])));
}

/** The paths of all sources of a form, or undefined where one is missing. */
async function locateForm(form: WeightsForm, places: readonly string[]): Promise<string[] | undefined> {
  const paths = await Promise.all(form.sources.map((source) => locateSource(source, form, places)));
  return paths.every((file) => file !== undefined) ? paths : undefined;
}

/** Whether a component's weights lie in one of these places, in one form or another. Nothing is read. */
export async function haveWeights(component: Component, places: readonly string[]): Promise<boolean> {
  for (const form of component.forms) {
    if ((await locateForm(form, places)) !== undefined) return true;
    for (const pkg of form.packages ?? []) {
      if ((await locatePackage(pkg, places)) !== undefined) return true;
    }
  }
  return false;
}

/**
 * Reads every file and package of a component's weights that lies in these places, also where it is built and needs
 * them no more.
 * @throws KaomonError SETUP naming one that is not the published one
 */
export async function checkWeights(component: Component, places: readonly string[]): Promise<void> {
  for (const form of component.forms) {
    for (const source of form.sources) {
      const file = await locateSource(source, form, places);
      if (file !== undefined) await checkSource(source, form, file);
    }
    for (const pkg of form.packages ?? []) {
      const archive = await locatePackage(pkg, places);
      if (archive !== undefined) await readFrom(archive, pkg, form);
    }
  }
}

/**
 * The weights of a component from the first place that has them whole. What is fetched, or taken out of a package, is
 * kept in `models/sources/`. A place that has them damaged is told of and passed over. The caller holds the component's
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
  throw new KaomonError('SETUP', [...troubles, missingSentence(component)].join(' '));
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
      return archive === undefined ? undefined : await takeOut(archive, component, form, pkg, context);
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

const published = (form: WeightsForm): PublishedSource[] =>
  form.sources.filter((source) => source.kind === 'published');

async function fetchAndTakeOut(
  component: Component,
  form: WeightsForm,
  pkg: WeightsPackage,
  fetchPackage: NonNullable<ComponentContext['fetchPackage']>,
  context: ComponentContext,
): Promise<GatheredWeights> {
  const kept = published(form).reduce((sum, { bytes }) => sum + bytes, 0);
  context.onProgress?.({
    kind: 'fetch',
    message: `Fetching ${pkg.name} ${pkg.version} from ${registryName(pkg)}: ${megabytes(pkg.bytes)} travel, of which ${megabytes(kept)} are kept. Licence: ${component.licence}`,
  });
  return await withWorkFolder(component, context, async (work) => {
    const archive = await fetchPackage(pkg, work, (progress) => context.onProgress?.(progress));
    return await takeOut(archive, component, form, pkg, context);
  });
}

async function fetchFiles(
  component: Component,
  form: WeightsForm,
  sources: readonly AddressedSource[],
  fetchSource: NonNullable<ComponentContext['fetchSource']>,
  context: ComponentContext,
): Promise<GatheredWeights> {
  const paths: string[] = [];
  for (const source of sources) {
    const there = await locateSource(source, form, placesOf(context));
    const isGood = there !== undefined && (await checkSource(source, form, there).then(() => true, isRefusal));
    const target = path.join(sourcesFolder(context), source.file);
    if (!isGood) {
      await mkdir(path.dirname(target), { recursive: true });
      const message = `Fetching ${source.file} from ${new URL(source.url).host}: ${megabytes(source.bytes)}. Licence: ${component.licence}`;
      context.onProgress?.({ kind: 'fetch', message });
      await fetchSource(source, target, (progress) => context.onProgress?.(progress));
    }
    paths.push(isGood ? there : target);
  }
  return await checkForm(form, paths);
}

function isRefusal(error: unknown): false {
  if (error instanceof KaomonError) return false;
  throw error;
}

// What unpacks archives is loaded by those starts that need it.
async function readFrom(archive: string, pkg: WeightsPackage, form: WeightsForm) {
  const { readPackage } = await import('./packages.js');
  return await readPackage(archive, pkg, published(form));
}

/** Takes a form's files out of a package into `models/sources/`. */
async function takeOut(
  archive: string,
  component: Component,
  form: WeightsForm,
  pkg: WeightsPackage,
  context: ComponentContext,
): Promise<GatheredWeights> {
  const contents = await readFrom(archive, pkg, form);
  return await withWorkFolder(component, context, async (work) => {
    const paths: string[] = [];
    for (const [file, content] of contents) {
      const target = path.join(sourcesFolder(context), file);
      await writeSynced(path.join(work, file), content);
      await renameSynced(path.join(work, file), target);
      paths.push(target);
    }
    return await checkForm(form, paths);
  });
}

/** In the folder of sources, so that what is taken is only renamed; another file system may be mounted there. */
async function withWorkFolder<T>(
  component: Component,
  context: ComponentContext,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = path.join(sourcesFolder(context), `${leftoverPrefix(component)}${process.pid}`);
  // Within a fetch the folder is there already, and goes with it.
  const isOurs = (await mkdir(folder, { recursive: true })) !== undefined;
  try {
    return await work(folder);
  } finally {
    if (isOurs) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

const leftoverPrefix = ({ id }: Component) => `.fetching-${id}-`;

/** Folders that a killed fetch of this component left. */
async function removeLeftovers(component: Component, context: ComponentContext): Promise<void> {
  const folder = sourcesFolder(context);
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.startsWith(leftoverPrefix(component)))
      await rm(path.join(folder, name), { recursive: true, force: true, maxRetries: 3 });
  }
}

async function checkForm(form: WeightsForm, paths: readonly string[]): Promise<GatheredWeights> {
  const sources = form.sources.map((source, i) => checkSource(source, form, paths[i]));
  return { form, sources: await Promise.all(sources) };
}

async function checkSource(
  source: Source,
  { packages = [] }: WeightsForm,
  file: string,
): Promise<GatheredWeights['sources'][number]> {
  const { bytes, modified } = (await statFile(file)) ?? { bytes: 0, modified: 0 };
  const pkg = packages.at(0);
  const from =
    source.kind === 'package' ? source.package : (source.url ?? (pkg ? `${pkg.name} ${pkg.version}` : ''));
  const refuse = (reason: string) =>
    new KaomonError(
      'SETUP',
      `${file} is not the published file: ${reason}. Remove it, or take it again from ${from}.`,
    );
  if (source.kind === 'published' && source.bytes !== bytes)
    throw refuse(`it has ${bytes} bytes instead of ${source.bytes}`);
  const sha256 = await sha256OfFile(file);
  if (source.kind === 'published' && source.sha256 !== sha256)
    throw refuse(`its SHA-256 is ${sha256} instead of ${source.sha256}`);
  return { path: file, record: { file: source.file, from, bytes, modified, sha256 } };
}

/** The files that would complete a component, each form by itself: `a.tgz`, or `a.pt, b.pt`. */
export function namesOfWeights(component: Component): string[] {
  return component.forms.flatMap((form) => [
    ...(form.packages ?? []).map(({ file }) => file),
    form.sources.map(({ file }) => file).join(', '),
  ]);
}

function missingSentence(component: Component): string {
  const all = component.forms.flatMap(({ sources }) => sources);
  const packages = [...new Set(all.flatMap((source) => (source.kind === 'package' ? [source.package] : [])))];
  const remedy =
    packages.length > 0
      ? `install the package ${packages.join(', ')} again (npm ci)`
      : 'put them into a folder DIR and run: npm run models -- --from DIR';
  const names = namesOfWeights(component).join('; or ');
  return `${component.title}: the weights ${names} are not here; ${remedy}.`;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
