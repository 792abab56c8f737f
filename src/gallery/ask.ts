/**
 * What this process knows is a moment behind what other workers did. So whoever is to be told that something is not there,
 * or is there already, is told so only once the store has been asked.
 */
import { KaomonError } from '../platform/errors.js';
import { withStoreErrors } from './announce.js';
import { splitFaceId } from './ids.js';
import type { KnownPeople } from './memory.js';
import type { EmbeddingStore } from './store/store.js';
import type { Face, Group, Person } from './types.js';

/** Reads these people from the store into memory, or the groups when none is named. */
type Reload = (faceids: readonly string[]) => Promise<void>;

export interface AskedOf {
  memory: Pick<KnownPeople, 'has' | 'person' | 'groups'>;
  store: Pick<EmbeddingStore, 'list' | 'peopleIn'>;
  lockAndReload: Reload;
}

/** See {@link createAsk}. */
export type Ask = ReturnType<typeof createAsk>;

/**
 * Questions of memory, asked again of the store where memory gives the answer that would refuse somebody. Each takes how
 * to read the store: `core.reload` inside a change, which holds the key of whom it is about, else `core.lockAndReload`.
 */
export function createAsk(core: AskedOf) {
  const { memory, store } = core;

  async function person(faceid: string, reload: Reload = core.lockAndReload): Promise<Person | undefined> {
    if (!memory.has(faceid) && splitFaceId(faceid)) await withStoreErrors(reload([faceid]));
    return memory.person(faceid);
  }

  const find = (whose: Person | undefined, id: string) => whose?.faces.find((face) => face.id === id);

  async function face(
    faceid: string,
    id: string,
    reload: Reload = core.lockAndReload,
  ): Promise<Face | undefined> {
    const known = find(await person(faceid, reload), id);
    if (known || !memory.has(faceid)) return known;
    await withStoreErrors(reload([faceid]));
    return find(memory.person(faceid), id);
  }

  async function group(groupid: string, reload: Reload = core.lockAndReload): Promise<Group | undefined> {
    const known = () => memory.groups().find((one) => one.groupid === groupid);
    if (!known()) await withStoreErrors(reload([]));
    return known();
  }

  return {
    person,
    face,
    group,

    /** @throws KaomonError PERSON_UNKNOWN */
    async requirePerson(faceid: string, reload?: Reload): Promise<Person> {
      return (await person(faceid, reload)) ?? refuseUnknown(faceid);
    },

    /** @throws KaomonError PERSON_UNKNOWN, FACE_UNKNOWN */
    async requireFace(faceid: string, id: string, reload?: Reload): Promise<Face> {
      const found = await face(faceid, id, reload);
      if (!memory.has(faceid)) refuseUnknown(faceid);
      return found ?? refuseFace();
    },

    /** @throws KaomonError GROUP_UNKNOWN */
    async requireGroup(groupid: string, reload?: Reload): Promise<Group> {
      const found = await group(groupid, reload);
      if (found) return found;
      throw new KaomonError(
        'GROUP_UNKNOWN',
        `There is no group "${groupid}": make it first, or choose one of the list.`,
        { details: { field: 'groupid' } },
      );
    },

    /** @throws KaomonError PERSON_EXISTS */
    async requireNobody(faceid: string, reload: Reload): Promise<void> {
      if (!memory.has(faceid)) return;
      await withStoreErrors(reload([faceid]));
      if (memory.has(faceid)) refuseExisting(faceid);
    },

    /** Who is in a group, as the store has it: the faceids, in no order. */
    async peopleIn(groupid: string): Promise<string[]> {
      if (store.peopleIn) return withStoreErrors(store.peopleIn(groupid));
      const faceids = await withStoreErrors(store.list());
      return faceids.filter((faceid) => faceid.startsWith(`${groupid}-`));
    },
  };
}

export function refuseUnknown(faceid: string): never {
  const { groupid, userid } = splitFaceId(faceid) ?? { groupid: '', userid: faceid };
  throw new KaomonError('PERSON_UNKNOWN', `Nobody is enrolled as "${userid}" in the group "${groupid}".`);
}

export function refuseExisting(faceid: string): never {
  const { groupid, userid } = splitFaceId(faceid) ?? { groupid: '', userid: faceid };
  throw new KaomonError('PERSON_EXISTS', `There is a person "${userid}" in the group "${groupid}" already.`);
}

export function refuseFace(): never {
  throw new KaomonError('FACE_UNKNOWN', 'This person has no such face: it may have been deleted.');
}
