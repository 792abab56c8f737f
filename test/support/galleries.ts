import { createFileStore } from '../../src/gallery/store/file-store.js';
import type { GalleryDeps } from '../../src/gallery/core.js';
import { createGallery, type LiveGallery } from '../../src/gallery/gallery.js';
import { createRemoteGallery } from '../../src/gallery/remote/remote-gallery.js';
import type { RemoteStore } from '../../src/gallery/remote/remote-store.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import type { EmbeddingStore } from '../../src/gallery/store/store.js';
import type { Gallery, Person } from '../../src/gallery/types.js';
import { plainBase } from './plain-base.js';

/** Numbers in a vector of {@link openTiny}'s galleries. */
export const TINY = 8;

let areOverBases = false;

/**
 * From now on everybody in a tiny gallery is in a base, which is swapped for a new one after each change of its own: not
 * after another worker's, of whose next one the store would know before the gallery has heard.
 */
export function putOverBases(): void {
  areOverBases = true;
}

export const isOverBases = (): boolean => areOverBases;

let elsewhere: ((folder: string, pack: string) => Promise<RemoteStore>) | undefined;

/**
 * From now on no process holds a tiny gallery: its people are in Redis, its vectors in an engine.
 * @param open a store for what would be in a folder; the caller closes it
 */
export function putElsewhere(open: (folder: string, pack: string) => Promise<RemoteStore>): void {
  elsewhere = open;
}

/** For tests of files, or of what is in memory: a reason to skip. */
export const inFilesAlone = (): false | string => elsewhere !== undefined && 'its gallery is in no files';

/** A gallery in a folder, of vectors of 8 numbers, searched by our own index. */
export async function openTiny(
  folder: string,
  options: { pack?: string; warn?: (message: string) => void } & Pick<
    GalleryDeps,
    'templates' | 'publisher'
  > = {},
): Promise<LiveGallery> {
  const { pack = 'tiny', warn = () => undefined, ...others } = options;
  if (elsewhere) {
    const store = await elsewhere(folder, pack);
    return createRemoteGallery({ templates: true, ...others, pack, store, warn });
  }
  return createTiny(createFileStore({ folder, pack, length: TINY, warn }), { pack, ...others });
}

/** As {@link openTiny}, of a store. */
export async function createTiny(
  store: EmbeddingStore,
  { pack = 'tiny', templates = true, ...others }: Partial<GalleryDeps> = {},
): Promise<LiveGallery> {
  const deps: GalleryDeps = { ...others, pack, store, index: createExactIndex(TINY), templates };
  return areOverBases ? overBases(deps) : createGallery(deps);
}

/** The store's people as a base. */
export async function baseOf(store: Pick<EmbeddingStore, 'load'>, templates = true, number = 1) {
  const { people, groups, otherPacks } = await store.load();
  return plainBase(people, { templates, groups, otherPacks, number });
}

const CHANGES = [
  ...(['createGroup', 'updateGroup', 'removeGroup', 'createPerson', 'updatePerson', 'movePerson'] as const),
  ...(['mergePerson', 'remove', 'removeIf', 'enrol', 'enrolOnce', 'removeFace', 'reload'] as const),
  ...(['correct', 'removeCorrection'] as const),
];

type Changes = Record<(typeof CHANGES)[number], (...args: unknown[]) => Promise<unknown>>;

async function overBases(deps: GalleryDeps): Promise<LiveGallery> {
  const gallery = await createGallery({ ...deps, base: await baseOf(deps.store, deps.templates) });
  let number = 1;
  /** Answers when the people are in a base. */
  const changes = CHANGES.map((name) => {
    const changeAndSwap = async (...args: unknown[]) => {
      const answer = await (gallery as unknown as Changes)[name](...args);
      number += 1;
      await gallery.rebase(await baseOf(deps.store, deps.templates, number));
      return answer;
    };
    return [name, changeAndSwap];
  });
  return { ...gallery, ...(Object.fromEntries(changes) as Partial<LiveGallery>) };
}

/** A person in few words: the faceid, the name, and the ends of the faces' ids. */
export function summarise({ faceid, username, metadata, faces }: Person): unknown {
  return { faceid, username, metadata, faces: faces.map(({ id }) => id.split('_').at(-1)) };
}

/** Everybody of a gallery, by faceid. */
export async function everybody(gallery: Pick<Gallery, 'everyone'>): Promise<Person[]> {
  const people: Person[] = [];
  for await (const person of gallery.everyone()) people.push(person);
  return people;
}
