import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { KaomonError } from '../../platform/errors.js';
import type { Damage } from '../../platform/files/damage.js';
import { toEmbedding } from '../embedding.js';
import { parseFaceId } from '../face-name.js';
import { isId, splitFaceId } from '../ids.js';
import type { Group } from '../types.js';
import { isProfile, profileOf } from './profile.js';
import type { RedisLayout } from './redis-layout.js';
import type { GalleryRedis } from './redis-scripts.js';
import { asCorrection } from './as-correction.js';
import type { Profile, ReadPerson, StoredCorrection } from './store.js';
import { toVector } from './vector-bytes.js';

const GroupSchema = Type.Object({ groupname: Type.String(), made: Type.String() });

export interface RedisReaderOptions {
  redis: GalleryRedis;
  layout: RedisLayout;
  /** Numbers in a vector of this pack. */
  length: number;
  damage: Damage;
}

/** Reads one pack's part of the gallery; damage is reported and skipped. */
export function createRedisReader({ redis, layout, length, damage }: RedisReaderOptions) {
  const { pack, people, groups, packs, all } = layout;

  /**
   * Reports and skips a key of the wrong type.
   * @param fallback what to return then
   */
  async function orPassOver<T, U>(what: string, read: Promise<T>, fallback: U): Promise<T | U> {
    try {
      return await read;
    } catch (error) {
      if (!isWrongType(error)) throw error;
      damage.report(what, 'its type in Redis is wrong; it is passed over');
      return fallback;
    }
  }

  async function readPerson(faceid: string, known: ReadonlySet<string>): Promise<ReadPerson | undefined> {
    const set = layout.facesOf(faceid);
    const both = redis.readPerson(people, set, layout.correctionsOf(faceid), faceid);
    const read = await orPassOver(set, both, undefined);
    const [text, ids, corrected] = read ?? [await redis.hget(people, faceid), [], []];
    if (text === null) return undefined;
    const faces = await Promise.all(ids.map((id) => readFace(faceid, id, known.has(id))));
    const there = faces.filter((face) => face !== undefined);
    there.sort((a, b) => (a.enrolledAt + a.id < b.enrolledAt + b.id ? -1 : 1));
    const corrections = await readSaid(faceid, corrected);
    return { faceid, ...toProfile(faceid, text), faces: there, corrections };
  }

  const readCorrections = async (faceid: string): Promise<StoredCorrection[]> =>
    readSaid(faceid, await redis.smembers(layout.correctionsOf(faceid)));

  async function readSaid(faceid: string, ids: readonly string[]): Promise<StoredCorrection[]> {
    if (ids.length === 0) return [];
    const read = await Promise.all(ids.map((id) => readFace(faceid, id, false)));
    const there = read.flatMap((face) => (face?.vector ? asCorrection(face, face.vector) : []));
    return there.sort((a, b) => (a.at + a.id < b.at + b.id ? -1 : 1));
  }

  async function readFace(
    faceid: string,
    id: string,
    isKnown: boolean,
  ): Promise<ReadPerson['faces'][number] | undefined> {
    const what = layout.face(id);
    const described = parseFaceId(faceid, id);
    if (!described) {
      damage.report(what, 'its name is not that of a face of this person; it is passed over');
      return undefined;
    }
    const [bytes, picture] = await orPassOver(
      what,
      Promise.all([isKnown ? undefined : redis.hgetBuffer(what, 'vector'), redis.hexists(what, 'picture')]),
      [undefined, 0],
    );
    const face = { ...described, hasPicture: picture === 1 };
    if (isKnown) return face;
    if (!bytes) return undefined;
    try {
      return { ...face, vector: toEmbedding(toVector(bytes), length) };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      damage.report(what, `it does not hold an embedding (${error.message}) and is passed over`);
      return undefined;
    }
  }

  function toProfile(faceid: string, text: string): Profile {
    const value = parseJson(text);
    if (isProfile(value)) return profileOf(value);
    damage.report(`${people} ${faceid}`, 'the person is shown by the ID until a name is given again');
    return { username: '', metadata: {} };
  }

  /** The faceids of everyone. */
  async function list(): Promise<string[]> {
    const fields = await redis.hkeys(people);
    return fields.filter((faceid) => {
      if (splitFaceId(faceid)) return true;
      damage.report(
        `${people} ${faceid.slice(0, 130)}`,
        'it is not a valid ID of a person; it is passed over',
      );
      return false;
    });
  }

  async function readGroups(): Promise<Group[]> {
    const fields = Object.entries(await redis.hgetall(groups)).filter(([groupid]) => isId(groupid));
    const found = fields.map(([groupid, text]) => ({ groupid, ...toGroup(groupid, text) }));
    found.sort((a, b) => (a.made + a.groupid < b.made + b.groupid ? -1 : 1));
    return found.map(({ groupid, groupname }) => ({ groupid, groupname }));
  }

  function toGroup(groupid: string, text: string): { groupname: string; made: string } {
    const value = parseJson(text);
    if (Value.Check(GroupSchema, value)) return value;
    damage.report(`${groups} ${groupid}`, 'the group is shown by its ID until a name is given again');
    return { groupname: groupid, made: '' };
  }

  async function countOtherPacks(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const other of await orPassOver(packs, redis.smembers(packs), [])) {
      const set = all(other);
      const count = other === pack ? 0 : await orPassOver(set, redis.scard(set), 0);
      if (count > 0) counts[other] = count;
    }
    return counts;
  }

  /**
   * Checks the keys without which there is no gallery.
   * @throws KaomonError SETUP naming one of the wrong type
   */
  async function requireTypes(): Promise<void> {
    const types = { [people]: 'hash', [groups]: 'hash', [all()]: 'set', [packs]: 'set' };
    for (const [name, type] of Object.entries(types)) {
      const found = await redis.type(name);
      if (found === type || found === 'none') continue;
      throw new KaomonError(
        'SETUP',
        `The Redis key ${name} holds a ${found}, where the gallery keeps a ${type}: rename it (RENAME) and restore the key from a copy, or choose another REDIS_PREFIX.`,
      );
    }
  }

  return { readPerson, toProfile, list, readGroups, toGroup, countOtherPacks, requireTypes, readCorrections };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.includes('WRONGTYPE');
}
