import path from 'node:path';
import { KaomonError } from '../../platform/errors.js';
import { makeFolder } from '../../platform/files/durable.js';
import { underLock } from '../../platform/files/lock.js';
import {
  componentsOf,
  describeBetter,
  isFirstStart,
  markFetchTried,
  offerBetter,
  packIsAtHand,
  packOfMost,
  type PrepareContext,
} from './auto.js';
import type { Component } from '../component.js';
import { componentFolder, ensureComponent, type ComponentContext } from './component-store.js';
import { AGE_GENDER, SSD } from './components.js';
import { checkOwnPack, ownPackCandidates, readOwnPack, type OwnPack } from './own-pack.js';
import { DETECTORS, EMBEDDERS, PACKS, type Pack } from './packs.js';
import { loadMtcnnWeights } from '../onnx/mtcnn-weights.js';
import { embedderIn } from './variants.js';
import type { Alignment, ReadyDetector, ReadyPack } from '../types.js';

export type { PrepareContext } from './auto.js';
export type { Progress } from './component-store.js';

const PACK_ID = /^[a-z0-9][a-z0-9+._-]{0,63}$/;

/**
 * Makes a pack ready to run: builds what is missing or out of date. A second call only reads the manifests.
 * @param id a pack's name, or `auto`: the pack that people are enrolled with; if nobody is, the best one here, at a
 *   first start the best that can be fetched
 * @throws KaomonError SETUP when there is no such pack, its weights are missing or damaged, or people are enrolled with
 *   a pack that cannot be had
 */
export async function preparePack(id: string, context: PrepareContext): Promise<ReadyPack> {
  const pack = id === 'auto' ? await prepareAuto(context) : await prepareNamed(id, context);
  return await inPrecision(pack, context);
}

/**
 * The best pack that can be had, fetched if need be, no matter who is enrolled with which.
 * @throws KaomonError SETUP when there is none
 */
export async function prepareBest(context: ComponentContext): Promise<ReadyPack> {
  const pack = await prepareFirst(PACKS, context);
  await markFetchTried(context);
  return await inPrecision(pack, context);
}

async function inPrecision(pack: ReadyPack, { modelsDir, precision = 'float32' }: ComponentContext) {
  // A missing form is an error, not a reason to take another pack.
  return { ...pack, embedder: await embedderIn(precision, pack.embedder, modelsDir) };
}

async function prepareAuto(context: PrepareContext): Promise<ReadyPack> {
  const enrolled = packOfMost((await context.enrolledPacks?.()) ?? {});
  if (enrolled) return await prepareEnrolled(enrolled, context);
  const { fetchSource, fetchPackage, ...offline } = context;
  if ((!fetchSource && !fetchPackage) || !(await isFirstStart(context))) return await prepareOffline(offline);
  // Workers that start together must take the same pack: the first fetches, the others find what it built.
  const lock = path.join(context.modelsDir, '.first-start.lock');
  const message = 'Waiting for the networks, which are being fetched';
  const prepare = async () => {
    if (!(await isFirstStart(context))) return await prepareOffline(offline);
    const pack = await prepareFirst(PACKS, context);
    await markFetchTried(context);
    return pack;
  };
  await makeFolder(context.modelsDir);
  return await underLock(lock, prepare, { onWait: () => context.onProgress?.({ kind: 'wait', message }) });
}

async function prepareEnrolled(
  { id, others }: { id: string; others: string[] },
  context: ComponentContext,
): Promise<ReadyPack> {
  const note = (message: string) => context.onProgress?.({ kind: 'note', message });
  if (others.length > 0) {
    note(
      `People are enrolled with several packs: most with ${id}, which auto takes; besides with ${others.join(', ')}. MODEL_PACK=NAME takes another.`,
    );
  }
  const pack = await prepareNamed(id, context).catch((error: unknown) => {
    if (!(error instanceof KaomonError)) throw error;
    throw new KaomonError(
      'SETUP',
      `People are enrolled with the pack ${id}, which cannot be had: ${error.message} With MODEL_PACK=NAME the server starts with another pack, which knows none of them.`,
      { cause: error },
    );
  });
  const offer = await offerBetter(id, context);
  const better = describeBetter(id, offer);
  if (better !== undefined) note(better);
  return { ...pack, offer };
}

/** A later start: it must not wait for a host that cannot be reached. */
async function prepareOffline(context: ComponentContext): Promise<ReadyPack> {
  const here = await Promise.all(PACKS.map((pack) => packIsAtHand(pack, context)));
  const pack = await prepareFirst(
    PACKS.filter((_, i) => here[i]),
    context,
  );
  if (pack.id !== PACKS[0].id) {
    const message = `The pack ${pack.id} serves. A better one may be had by npm run models -- --fetch, or by --from DIR with files that were carried over.`;
    context.onProgress?.({ kind: 'note', message });
  }
  return pack;
}

/** The first of these that can be had; notes say what is wrong with those before it. */
async function prepareFirst(packs: readonly Pack[], context: ComponentContext): Promise<ReadyPack> {
  const failed: string[] = [];
  let reason = 'its weights are not here.';
  for (const { id } of packs) {
    try {
      const pack = await prepareNamed(id, context);
      if (failed.length > 0) {
        const message = `Until ${failed[0]} can be had ${id} serves: npm run models -- --fetch tries again, --from DIR takes files that were carried over.`;
        context.onProgress?.({ kind: 'note', message });
      }
      return pack;
    } catch (error) {
      if (!(error instanceof KaomonError)) throw error;
      context.onProgress?.({ kind: 'note', message: `The pack ${id} cannot be had: ${error.message}` });
      failed.push(id);
      reason = error.message;
    }
  }
  const last = failed.at(-1) ?? PACKS[PACKS.length - 1].id;
  throw new KaomonError('SETUP', `No model pack can be had, not even ${last}: ${reason}`);
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

export function allComponents(): Component[] {
  return [
    ...Object.values(DETECTORS),
    ...Object.values(EMBEDDERS).map(({ component }) => component),
    AGE_GENDER,
  ];
}

async function prepareOurs(pack: Pack, context: ComponentContext): Promise<ReadyPack> {
  const { component, network, input } = EMBEDDERS[pack.embedder];
  const cut = { ...input, ...pack.cut };
  // The embedder first: it is the harder one to get, and without it the detector need not be fetched.
  await ensureComponent(component, context);
  const detector = await prepareDetector(pack.detector, cut.alignment, context);
  return {
    id: pack.id,
    title: pack.title,
    licence: licenceOf(componentsOf(pack)),
    detector,
    embedder: {
      name: pack.embedder,
      network: path.join(componentFolder(component, context.modelsDir), network),
      ...cut,
    },
    ageGender: await prepareAgeGender(context),
    thresholds: pack.thresholds,
    curve: pack.curve,
    templates: pack.templates,
  };
}

async function prepareOwn(pack: OwnPack, context: ComponentContext): Promise<ReadyPack> {
  await checkOwnPack(pack);
  const { size, length, colour, mean, scale, alignment, padding, views, input, output } = pack.embedder;
  const taken = { size, length, colour, mean, scale, alignment, padding, views, input, output };
  return {
    id: pack.id,
    title: pack.title,
    licence: `${pack.licence}; detector: ${DETECTORS[pack.detector].licence}`,
    detector: await prepareDetector(pack.detector, alignment, context),
    embedder: { name: pack.id, network: pack.network, ...taken },
    ageGender: await prepareAgeGender(context),
    thresholds: pack.thresholds,
    curve: pack.curve,
    templates: pack.templates,
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
  const files = { pnet: file('pnet.onnx'), rnet: file('rnet.onnx'), onet: file('onet.onnx') };
  const cascade = { kind, ...files, weights: await loadMtcnnWeights(files) };
  if (alignment !== 'faceapi' && alignment !== 'chip') return cascade;
  // Five points place the square too roughly: with them this pair identifies 93 of 100 faces, with 68 points all.
  await ensureComponent(SSD, context);
  return { ...cascade, landmarks: path.join(componentFolder(SSD, context.modelsDir), 'landmarks.onnx') };
}

/** An extra: a pack works without it, so that it is missing is only noted. */
async function prepareAgeGender(context: ComponentContext): Promise<string | undefined> {
  try {
    await ensureComponent(AGE_GENDER, context);
  } catch (error) {
    if (!(error instanceof KaomonError)) throw error;
    context.onProgress?.({ kind: 'note', message: `Without age and gender: ${error.message}` });
    return undefined;
  }
  return path.join(componentFolder(AGE_GENDER, context.modelsDir), 'age-gender.onnx');
}

export function licenceOf(components: readonly Component[]): string {
  return [...new Set(components.map(({ licence }) => licence))].join('; ');
}
