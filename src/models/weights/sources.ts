/** A component's weights on this machine: where they are, and whether they are the published ones. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { KaomonError } from '../../platform/errors.js';
import type { Component, PublishedSource, Source, WeightsForm, WeightsPackage } from '../component.js';
import type { ComponentContext } from '../context.js';
import { sha256OfFile, statFile } from '../files.js';

/** What a component was built from, as recorded in its manifest. */
export interface SourceRecord {
  file: string;
  /** The npm package, the published package or the address. */
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

/** Folder of published weights: fetched, or put there by hand. */
export const sourcesFolder = ({ modelsDir }: ComponentContext) => path.join(modelsDir, 'sources');

/** The path of a file in node_modules, or undefined where its package is not installed. */
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

/** A place may be the file itself, a folder that holds it, or its package, unpacked. */
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
export async function locateSource(
  source: Source,
  { packages = [] }: Pick<WeightsForm, 'packages'>,
  places: readonly string[],
): Promise<string | undefined> {
  if (source.kind === 'package') return await firstThere([packagedFile(source)]);
  const members = packages.map((pkg) => pkg.members[source.file]);
  return await firstThere(places.flatMap((place) => pathsIn(place, source.file, members)));
}

export async function locatePackage(
  pkg: WeightsPackage,
  places: readonly string[],
): Promise<string | undefined> {
  return await firstThere(places.flatMap((place) => pathsIn(place, pkg.file, [])));
}

/** The paths of all sources of a form, or undefined where one is missing. */
export async function locateForm(
  form: WeightsForm,
  places: readonly string[],
): Promise<string[] | undefined> {
  const paths = await Promise.all(form.sources.map((source) => locateSource(source, form, places)));
  return paths.every((file) => file !== undefined) ? paths : undefined;
}

/** Whether one of these places has a component's weights in any form. No content is read. */
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
 * Checks every file and package of a component's weights in these places, even if the component is already built.
 * @throws KaomonError SETUP naming one that differs from the published one
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

/** The sources of a form that must be fetched or carried over. */
export const published = (form: WeightsForm): PublishedSource[] =>
  form.sources.filter((source) => source.kind === 'published');

// Loaded here, because most starts unpack no archive.
export async function readFrom(archive: string, pkg: WeightsPackage, form: WeightsForm) {
  const { readPackage } = await import('./packages.js');
  return await readPackage(archive, pkg, published(form));
}

export async function checkForm(form: WeightsForm, paths: readonly string[]): Promise<GatheredWeights> {
  const sources = form.sources.map((source, i) => checkSource(source, form, paths[i]));
  return { form, sources: await Promise.all(sources) };
}

export async function checkSource(
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
      `${file} is not the published file: ${reason}. Remove it, or get it again from ${from}.`,
    );
  if (source.kind === 'published' && source.bytes !== bytes)
    throw refuse(`it has ${bytes} bytes instead of ${source.bytes}`);
  const sha256 = await sha256OfFile(file);
  if (source.kind === 'published' && source.sha256 !== sha256)
    throw refuse(`its SHA-256 is ${sha256} instead of ${source.sha256}`);
  return { path: file, record: { file: source.file, from, bytes, modified, sha256 } };
}

/** The files that would complete a component, an entry for each form: `a.tgz`, or `a.pt, b.pt`. */
export function namesOfWeights(component: Component): string[] {
  return component.forms.flatMap((form) => [
    ...(form.packages ?? []).map(({ file }) => file),
    form.sources.map(({ file }) => file).join(', '),
  ]);
}

export function missingSentence(component: Component): string {
  const all = component.forms.flatMap(({ sources }) => sources);
  const packages = [...new Set(all.flatMap((source) => (source.kind === 'package' ? [source.package] : [])))];
  const remedy =
    packages.length > 0
      ? `install the package ${packages.join(', ')} again (npm ci)`
      : 'put them into a folder DIR and run: npm run models -- --from DIR';
  const names = namesOfWeights(component).join('; or ');
  return `${component.title}: the weights ${names} are not here; ${remedy}.`;
}
