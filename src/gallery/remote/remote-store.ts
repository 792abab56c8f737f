import pMap from 'p-map';
import { createDamage } from '../../platform/files/damage.js';
import { isRedisFull, REDIS_PATIENCE, runEvenWhenFull, untilReady } from '../../platform/redis.js';
import { checkEmbedding } from '../embedding.js';
import type { VectorIndex } from '../index/vector-index.js';
import { connectGallery, type RedisStoreOptions, redisStoreOn } from '../store/redis-store.js';
import { profileOf } from '../store/profile.js';
import type { EmbeddingStore, OtherPack, ReadPerson, StoredPerson } from '../store/store.js';
import { type RemoteRedis, withRemoteCommands } from './commands.js';
import type { VectorEngine } from './engine.js';
import { lazyEngine } from './lazy-engine.js';
import { createJournal, type Journal, type JournalDeps, MOST_WAITING } from './journal.js';
import { createRemoteLayout } from './layout.js';
import { createRemotePages, type RemotePages } from './pages.js';
import { createRemoteReader, type RemotePerson, type RemoteReader } from './reader.js';
import { createRemoteChanges, idsOf } from './remote-changes.js';
import { createTail, type Tail } from './tail.js';

export interface RemoteStoreOptions extends RedisStoreOptions {
  /** Keep a template of each person with several faces. undefined: as whoever opened it before with a word on it. */
  templates: boolean | undefined;
  /** The vectors of a pack; closed with the store. @param expected how many it must hold by what Redis says */
  openEngine: (pack: string, length: number, expected: () => Promise<number>) => Promise<VectorEngine>;
  /** Empty, for the vectors that the engine does not show yet; its closing is the caller's. undefined: nobody searches. */
  index: VectorIndex | undefined;
  late?: JournalDeps['late'];
  most?: JournalDeps['most'];
}

/** A store whose vectors are in an engine, with what a gallery over it needs that holds nobody in memory. */
export interface RemoteStore extends EmbeddingStore {
  readonly engine: VectorEngine;
  readonly tail: Tail;
  readonly journal: Journal;
  readonly pages: RemotePages;
  readonly reader: RemoteReader;
  /** As `readPerson`, with no vectors; takes into the tail what the engine may not show yet of them. */
  readRecent(faceid: string): Promise<ReadPerson | undefined>;
  /** Which of these there are, read by the many. */
  there(faceids: readonly string[]): Promise<Set<string>>;
  /** Closes it but for the connection to Redis. */
  release(): Promise<void>;
}

/** People written at a time. */
const AT_ONCE = 64;
/** People read at a time. */
const READ = 500;
/** Behind the length of a pack's vectors, where people have templates. */
const TEMPLATES = ' t';

/**
 * Keeps people in Redis and their vectors in an engine (docs/scale.md). A change is one step in Redis, which also notes what
 * the engine has to do; see {@link createJournal}.
 * @throws KaomonError SETUP
 */
export async function createRemoteStore(options: RemoteStoreOptions): Promise<RemoteStore> {
  const redis = withRemoteCommands(await connectGallery(options.redis));
  try {
    return await storeOn(redis, options);
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

async function storeOn(redis: RemoteRedis, options: RemoteStoreOptions): Promise<RemoteStore> {
  const { pack, length, warn } = options;
  const { damage = createDamage(warn) } = options;
  const layout = createRemoteLayout(options.redis, pack);
  const base = redisStoreOn(redis, { ...options, damage }, layout);
  const templates = options.templates ?? (await redis.hget(layout.kinds, pack))?.endsWith(TEMPLATES) ?? false;
  /** Of the own faces: those that Redis itself has the vectors of may not be there yet. */
  const expected = async () => {
    const faces = Number(await redis.hget(layout.counts(), 'f'));
    return Math.max(0, faces - (await redis.hlen(layout.pending)));
  };
  const engine = await options.openEngine(pack, length, expected);
  const tail = createTail(options.index);
  const journal = createJournal({
    ...{ redis, layout, engine, tail, warn },
    ...{ late: options.late, most: options.most },
  });
  const reader = createRemoteReader({ redis, layout, damage });
  const pages = createRemotePages({ redis, layout, reader });
  const others = new Map<string, Promise<RemoteStore>>();

  /** Of faces and templates, wherever they are at the moment. */
  async function vectorsOf(ids: readonly string[]): Promise<Map<string, Float32Array>> {
    if (ids.length === 0) return new Map();
    const found = await journal.readPending(ids);
    const lacking = () => ids.filter((id) => !found.has(id));
    for (const fresh of [false, true]) {
      const others = lacking();
      if (others.length === 0) break;
      for (const [id, vector] of await engine.vectors(others, { fresh })) found.set(id, vector);
    }
    for (const id of lacking())
      damage.report(layout.face(id), 'its vector is not in Milvus; it is passed over');
    return found;
  }

  const { addFaces, createPerson, rename, ...changes } = createRemoteChanges({
    ...{ redis, layout, reader, journal, templates, length, vectorsOf },
  });

  /** @param known ids whose vectors are not needed */
  async function withVectors(person: RemotePerson, known: ReadonlySet<string>): Promise<ReadPerson> {
    const vectors = await vectorsOf(person.faces.map(({ id }) => id).filter((id) => !known.has(id)));
    const faces = person.faces.flatMap((face) => {
      const vector = vectors.get(face.id);
      return vector ? { ...face, vector } : known.has(face.id) ? face : [];
    });
    return { ...toRead(person), faces };
  }

  async function readPerson(faceid: string, known: ReadonlySet<string>): Promise<ReadPerson | undefined> {
    const [person] = await reader.read([faceid]);
    if (!person) return undefined;
    return { ...(await withVectors(person, known)), corrections: await base.readCorrections(faceid) };
  }

  async function prepare(): Promise<void> {
    await untilReady(redis, REDIS_PATIENCE);
    await base.prepare();
    await runEvenWhenFull(redis, layout.kinds, [
      ...['HSET', layout.kinds, pack],
      `${length}${templates ? TEMPLATES : ''}`,
    ]);
  }

  /** Opened when first asked for: its changes are carried to its own collection, which deleting does not wait for. */
  async function openOther(other: string): Promise<OtherPack> {
    const own = async () => {
      const numbers = parseInt((await redis.hget(layout.kinds, other)) ?? '', 10);
      return storeOn(redis, {
        ...{ ...options, pack: other, length: numbers || length, damage },
        ...{ templates: undefined, index: undefined },
        openEngine: (...of) => Promise.resolve(lazyEngine(other, () => options.openEngine(...of))),
      });
    };
    const opening = others.get(other) ?? own();
    others.set(other, opening);
    opening.catch(() => others.delete(other));
    return await opening;
  }

  async function list(): Promise<string[]> {
    const faceids: string[] = [];
    for await (const some of pages.faceids({})) faceids.push(...some);
    return faceids;
  }

  const store: RemoteStore = {
    ...base,
    ...{ damage, engine, tail, journal, pages, reader, prepare, list, readPerson },
    peopleIn: (groupid) => pages.inGroup(groupid),

    async countOtherPacks() {
      const counts: Record<string, number> = {};
      for (const other of await redis.smembers(layout.packs)) {
        const faces = other === pack ? 0 : Number(await redis.hget(layout.counts(other), 'f'));
        if (faces > 0) counts[other] = faces;
      }
      return counts;
    },

    async load({ onProgress, signal } = {}) {
      await prepare();
      const faceids = await list();
      const everyone: StoredPerson[] = [];
      for (let at = 0; at < faceids.length; at += READ) {
        signal?.throwIfAborted();
        const found = (await reader.read(faceids.slice(at, at + READ))).filter((one) => one !== undefined);
        const vectors = await vectorsOf(found.flatMap(({ faces }) => faces.map(({ id }) => id)));
        for (const person of found) {
          const faces = person.faces.flatMap((face) => {
            const vector = vectors.get(face.id);
            return vector ? { ...face, vector } : [];
          });
          everyone.push({ ...toRead(person), faces, corrections: await base.readCorrections(person.faceid) });
        }
        onProgress?.(Math.min(at + READ, faceids.length), faceids.length);
      }
      const otherPacks = await store.countOtherPacks();
      return { groups: await base.readGroups(), people: everyone, otherPacks };
    },

    async readRecent(faceid) {
      const [person] = await reader.read([faceid]);
      const ids = person ? idsOf(person) : [];
      tail.keep(faceid, new Set(ids));
      if (!person) return undefined;
      for (const [id, vector] of await journal.readPending(ids)) tail.add(id, vector);
      return { ...toRead(person), corrections: await base.readCorrections(faceid) };
    },

    async there(faceids) {
      return new Set((await reader.read(faceids)).flatMap((person) => person?.faceid ?? []));
    },

    recover: () => journal.sweep(),

    async release() {
      await journal.close();
      await engine.close();
    },

    async obstacle() {
      if (await isRedisFull(redis)) return 'redis full';
      if ((await journal.waiting()) > MOST_WAITING) return 'milvus away';
      return engine.obstacle();
    },

    async profile(faceid) {
      const [person] = await reader.read([faceid]);
      return person && profileOf(person);
    },

    async others() {
      const packs = (await redis.smembers(layout.packs)).filter((other) => other !== pack);
      return await Promise.all(packs.map(openOther));
    },

    createPerson: (faceid, profile) => createPerson(faceid, profile),
    keepPerson: (faceid, profile) => createPerson(faceid, profile),

    async addPeople(people) {
      for (const { faces, corrections = [] } of people)
        for (const { vector } of [...faces, ...corrections]) checkEmbedding(vector, length);
      await journal.room();
      const added = await pMap(
        people,
        (one) => createPerson(one.faceid, one.profile, one.faces, one.corrections),
        { concurrency: AT_ONCE },
      );
      await journal.carried();
      return added;
    },

    ...changes,

    async movePerson(from, to) {
      const outcome = await rename(from, to, 'move');
      return outcome === 'done' ? 'moved' : outcome;
    },

    async mergePerson(from, into) {
      return (await rename(from, into, 'merge')) === 'done';
    },

    addFace: (face, vector, { crop, profile }) => addFaces(face.faceid, [{ face, vector, crop }], profile),

    async close() {
      for (const other of others.values()) await (await other.catch(() => undefined))?.release();
      await store.release();
      await base.close();
    },
  };
  return store;
}

const toRead = (person: RemotePerson): ReadPerson => {
  return { faceid: person.faceid, ...profileOf(person), faces: person.faces };
};
