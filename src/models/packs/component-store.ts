import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import {
  makeFolder,
  stage,
  type Staged,
  sweepFolder,
  syncFolder,
  writeDurably,
} from '../../platform/files/durable.js';
import { underLock } from '../../platform/files/lock.js';
import { KaomonError } from '../../platform/errors.js';
import {
  BUILDER_VERSION,
  type Component,
  networkFiles,
  OLDEST_USABLE_BUILDER,
  type Source,
  type WeightsForm,
} from '../component.js';
import type { ComponentContext } from '../context.js';
import { READABLE, sha256Of, sha256OfFile, statFile } from '../files.js';
import { gatherWeights } from '../weights/gather.js';
import { haveWeights, packagedFile, placesOf } from '../weights/sources.js';

export type { ComponentContext, Progress } from '../context.js';

const MANIFEST = 'manifest.json';

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

/** How much of a component is on disk. */
export type ComponentState =
  | { readonly state: 'ready'; readonly manifest: ComponentManifest }
  /** `usable`: complete, and good enough where it cannot be rebuilt. */
  | { readonly state: 'stale'; readonly reason: string; readonly usable?: ComponentManifest }
  | { readonly state: 'missing' };

/** Absolute path of a component's folder. */
export function componentFolder(component: Component, modelsDir: string): string {
  return path.join(modelsDir, component.id);
}

/**
 * Checks a component without reading its networks: the manifest, the files' sizes, and whether builder and sources are
 * still those it was built with. Costs a few milliseconds.
 */
export async function inspectComponent(
  component: Component,
  context: ComponentContext,
): Promise<ComponentState> {
  const folder = componentFolder(component, context.modelsDir);
  const manifest = await readManifest(folder);
  if (manifest === undefined) return { state: 'missing' };
  const stale = (reason: string) => ({ state: 'stale' as const, reason });
  if (manifest === 'unreadable' || manifest.component !== component.id) {
    return stale('its manifest is damaged');
  }
  for (const file of networkFiles(component)) {
    const recorded = manifest.networks.find((network) => network.file === file);
    if (!recorded) return stale(`${file} is not in its manifest`);
    const found = await statFile(path.join(folder, file));
    if (found?.bytes !== recorded.bytes) return stale(`${file} is missing or cut off`);
  }
  const isSame = await Promise.all(component.forms.map((form) => isBuiltFrom(form, manifest)));
  if (!isSame.includes(true)) return stale('its weights have changed');
  const { builder } = manifest;
  if (builder === BUILDER_VERSION) return { state: 'ready', manifest };
  const isUsable = builder >= OLDEST_USABLE_BUILDER && builder < BUILDER_VERSION;
  return { ...stale('it was built by another version'), usable: isUsable ? manifest : undefined };
}

async function isBuiltFrom({ sources }: WeightsForm, manifest: ComponentManifest): Promise<boolean> {
  for (const source of sources) {
    const recorded = manifest.sources.find(({ file }) => file === source.file);
    if (!recorded || !(await isSameSource(source, recorded))) return false;
  }
  return true;
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

/** Whether a user's own pack is in the folder of one of our components. */
async function isOwnPack(folder: string): Promise<boolean> {
  const text = await readFile(path.join(folder, MANIFEST), 'utf8').catch(() => '');
  return text.includes('"kaomon-pack"');
}

async function isSameSource(
  source: Source,
  recorded: ComponentManifest['sources'][number],
): Promise<boolean> {
  if (source.kind === 'published') return recorded.sha256 === source.sha256;
  const file = packagedFile(source);
  const found = file === undefined ? undefined : await statFile(file);
  // A network stays good after the package that it was built from has been removed.
  if (file === undefined || found === undefined) return true;
  if (found.bytes !== recorded.bytes) return false;
  return found.modified === recorded.modified || (await sha256OfFile(file)) === recorded.sha256;
}

/** Whether a component is built, or can be built without fetching anything. */
export async function isAtHand(component: Component, context: ComponentContext): Promise<boolean> {
  const found = await inspectComponent(component, context);
  if (found.state === 'ready' || (found.state === 'stale' && found.usable)) return true;
  return await haveWeights(component, placesOf(context));
}

/**
 * Makes sure that a component is built and current; a second call only checks. Processes that call it at once wait for
 * the first. All networks are on disk before any gets its name, and the manifest comes last, so what a manifest names
 * is always complete.
 * @throws KaomonError SETUP when weights are missing or are not the published ones
 */
export async function ensureComponent(
  component: Component,
  context: ComponentContext,
): Promise<ComponentManifest> {
  const before = await inspectComponent(component, context);
  if (before.state === 'ready') return before.manifest;
  const lock = path.join(context.modelsDir, `.${component.id}.lock`);
  const onWait = () =>
    context.onProgress?.({ kind: 'wait', message: `Waiting for ${component.title}, which is being built` });
  try {
    await makeFolder(context.modelsDir);
    return await underLock(lock, () => buildUnlessDone(component, context), { onWait });
  } catch (error) {
    throw asRefusal(error, component, context);
  }
}

async function buildUnlessDone(component: Component, context: ComponentContext): Promise<ComponentManifest> {
  const now = await inspectComponent(component, context);
  if (now.state === 'ready') return now.manifest;
  const folder = componentFolder(component, context.modelsDir);
  if (now.state === 'stale' && (await isOwnPack(folder))) {
    throw new KaomonError(
      'SETUP',
      `${folder} holds a pack of your own, but ${component.title} is kept there: give your folder another name.`,
    );
  }
  if (now.state === 'stale' && now.usable && !(await haveWeights(component, placesOf(context)))) {
    const message = `${component.title} was built by an older version and its weights are not here to rebuild it: it stays in use.`;
    context.onProgress?.({ kind: 'note', message });
    return now.usable;
  }
  return await buildComponent(component, context);
}

/** A person can fix a full disk or a read-only folder. */
function asRefusal(error: unknown, { title }: Component, { modelsDir }: ComponentContext): unknown {
  if (error instanceof KaomonError || !(error instanceof Error) || !('syscall' in error)) return error;
  const { code = error.message } = error as NodeJS.ErrnoException;
  return new KaomonError('SETUP', `${title} cannot be written below ${modelsDir}: ${code}.`, {
    cause: error,
  });
}

async function buildComponent(component: Component, context: ComponentContext): Promise<ComponentManifest> {
  const { form, sources } = await gatherWeights(component, context);
  const manifest: ComponentManifest = {
    format: 'kaomon-component',
    component: component.id,
    builder: BUILDER_VERSION,
    built: new Date().toISOString(),
    licence: component.licence,
    sources: sources.map(({ record }) => record),
    networks: [],
  };
  const folder = componentFolder(component, context.modelsDir);
  const networks: { file: string; content: Uint8Array }[] = [];
  for (const [i, { file, build }] of form.networks.entries()) {
    const fraction = i / form.networks.length;
    context.onProgress?.({ kind: 'build', message: `Building ${component.title}: ${file}`, fraction });
    const content = await build((name) => {
      const source = sources.find(({ record }) => record.file === name);
      if (!source) throw new Error(`${component.id} has no source ${name}`);
      return source.path;
    });
    networks.push({ file, content });
    manifest.networks.push({ file, bytes: content.byteLength, sha256: sha256Of(content) });
  }
  await makeFolder(folder);
  await sweepFolder(folder);
  const staged: Staged[] = [];
  try {
    for (const { file, content } of networks)
      staged.push(await stage(path.join(folder, file), content, READABLE));
    for (const network of staged) await network.place();
    await syncFolder(folder);
    await writeDurably(path.join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, READABLE);
  } finally {
    for (const network of staged) await network.discard();
  }
  return manifest;
}
