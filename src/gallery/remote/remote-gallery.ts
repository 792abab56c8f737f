import { keepsFromSearching } from '../../platform/files/obstacles.js';
import { withStoreErrors } from '../announce.js';
import { createCoreOver, type GalleryDeps } from '../core.js';
import type { LiveGallery } from '../gallery.js';
import { createApply, createLiveOperations, createSettle, readCorrected } from '../live-operations.js';
import { watchStore } from '../store/store-watch.js';
import type { Gallery, GalleryInfo } from '../types.js';
import { createRemoteMemory, toPerson } from './remote-memory.js';
import { createRemoteSearch } from './remote-search.js';
import type { RemoteStore } from './remote-store.js';

export interface RemoteGalleryDeps extends Pick<
  GalleryDeps,
  'pack' | 'templates' | 'publisher' | 'catchUp' | 'warn'
> {
  /** Closed with the gallery. */
  store: RemoteStore;
}

/** After which the counts are others. */
const CHANGES = [
  ...(['createPerson', 'keepPerson', 'addPeople', 'removePerson', 'movePerson'] as const),
  ...(['mergePerson', 'addFace', 'removeFace'] as const),
];
/** How often counts are read anew while others change them, milliseconds. */
const COUNTED = 250;

/**
 * A gallery that no process holds: vectors are in an engine, people in Redis, and both are asked when somebody asks. Another
 * worker's event tells whom a change is about; who was asked for lately is read anew, and what the engine does not show yet is
 * searched in this process.
 */
export async function createRemoteGallery(deps: RemoteGalleryDeps): Promise<LiveGallery> {
  const { pack, store, templates = false, warn = () => undefined } = deps;
  const { catchUp = () => Promise.resolve() } = deps;
  const memory = createRemoteMemory();
  const { engine, pages, journal } = store;
  const catchUpOrNot = () => catchUp().catch(() => undefined);

  const count = async () => memory.setCounts(await pages.counts());
  let counting: Promise<void> | undefined;
  /** Of others' changes, which come in crowds. */
  const countLater = (): void => {
    counting ??= new Promise<void>((resolve) => setTimeout(resolve, COUNTED).unref())
      .then(count)
      .catch(() => undefined)
      .finally(() => (counting = undefined));
  };

  const search = createRemoteSearch({ store, memory, templates, catchUp: catchUpOrNot });
  const core = createCoreOver(
    { ...deps, store: { ...store, ...counted(store, count) } },
    {
      memory,
      nearest: (...asked) => withStoreErrors(search(...asked)),
      readRecent: (faceid) => store.readRecent(faceid),
      there: (faceids) => store.there(faceids),
    },
  );

  await store.prepare();
  await journal.load();
  memory.setGroups(await store.readGroups());
  core.setThreshold(await store.readThreshold());
  await readCorrected(core);
  await count();
  const otherPacks = await store.countOtherPacks();
  const watch = await watchStore(store, warn);
  core.onFailure(() => void watch.check());

  // What the engine has to do is done when it is back: people hear at once of what Redis says of them.
  const recover = () => store.recover().catch(() => undefined);
  const settle = createSettle({ ...core, store: { ...core.store, recover } }, pack, deps.publisher);
  const listed: Pick<Gallery, 'people' | 'everyone'> = {
    async people(options) {
      const { people, next, total } = await withStoreErrors(pages.page(options));
      return { people: people.map((person) => memory.made(toPerson(person))), next, total };
    },

    async *everyone(options = {}) {
      for await (const some of pages.fitting(options))
        for (const one of some) yield memory.made(toPerson(one));
    },
  };

  return {
    ...createLiveOperations(core, listed),
    current: (person) => memory.current(person),
    copyVectors: (of) => of.map(() => false),
    catchUp: catchUpOrNot,

    apply: createApply(core, pack, countLater),

    async settle(...asked) {
      await settle(...asked);
      countLater();
    },

    async reload() {
      memory.clear();
      await core.lockAndReload([]);
      await journal.load();
      await count();
      await readCorrected(core);
      core.showAll();
      await store.recover();
    },

    rebase: () => Promise.reject(new Error('A gallery that is elsewhere has no base.')),
    damaged: () => store.damage.list(),

    info(groups): GalleryInfo {
      const all = memory.groups();
      // The watch may not have seen yet that it is back.
      const seen = watch.obstacle();
      const other = keepsFromSearching(seen) ? undefined : seen;
      return {
        pack,
        ...memory.count(groups),
        corrections: memory.corrections.count(groups),
        groups: groups ? all.filter(({ groupid }) => groups.has(groupid)).length : all.length,
        // Which groups these belong to is not known.
        otherPacks: groups ? {} : otherPacks,
        setAside: groups ? 0 : store.damage.count(),
        index: engine.kind,
        obstacle: engine.trouble() ?? other,
      };
    },

    async close() {
      await core.mutex.idle();
      await watch.close();
      await store.close();
    },
  };
}

/** A store's changes, each followed by the counting of who is there. */
function counted(store: RemoteStore, count: () => Promise<void>): Partial<RemoteStore> {
  const changes = CHANGES.map((name) => {
    const change = async (...args: never[]) => {
      const answer = await (store[name] as (...all: never[]) => Promise<unknown>)(...args);
      // It is done: what it changed of the counts is read again later.
      await count().catch(() => undefined);
      return answer;
    };
    return [name, change];
  });
  return Object.fromEntries(changes) as Partial<RemoteStore>;
}
