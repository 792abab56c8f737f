import { createHash } from 'node:crypto';
import type { Static } from 'typebox';
import { throwIfGone } from '../../platform/errors.js';
import { toEmbedding } from '../embedding.js';
import { faceIdOf, splitFaceId } from '../ids.js';
import { decodeNpy, NpyError } from '../store/npy.js';
import type { Archive, CheckOptions, FaceToTake, PersonToTake, Totals } from './archive.js';
import { createBits } from './bits.js';
import { checkFaceId, createGroupCheck } from './checks.js';
import {
  type ArchivedGroup,
  GroupsSchema,
  PICTURE_BYTES,
  ProfileSchema,
  readJson,
  refuseArchive,
  refuseOtherPack,
} from './format.js';
import { readManifestV1 } from './manifest-v1.js';
import type { Zip } from './read-zip.js';

export const MANIFEST_V1 = 'manifest.json';
const GROUPS = 'groups.json';
/** The most bytes of a manifest for each entry, and besides. */
const MANIFEST_LINE = 600;
const MANIFEST_HEAD = 10_000;
/** The most bytes of an unpacked entry. */
const MOST = { groups: 10_000_000, person: 200_000, vector: 300_000 };

/** What an entry is, judged by its name. */
type Kind =
  | { kind: 'manifest' }
  | { kind: 'groups' }
  | { kind: 'person'; faceid: string }
  | { kind: 'vector'; faceid: string; face: string }
  | { kind: 'picture'; faceid: string; face: string };

/** A person's entries, by their numbers. */
interface Entries {
  person: number;
  faces: { id: string; vector: number; picture: number | undefined }[];
}

/**
 * An archive of version 1: `groups.json`, for each person `people/<faceid>/person.json` and the vectors as
 * `people/<faceid>/<face>.npy`, stored crops beside them as `.png`, and `manifest.json`, which names the pack of the
 * vectors and holds a SHA-256 of every other entry.
 */
export function openV1(zip: Zip, pack: Archive['pack']): Archive {
  const people = new Map<string, Entries>();

  const groupsEntry = () => zip.names.get(GROUPS) ?? refuseArchive(`${GROUPS} is missing`);
  const readGroups = async () => readJson(GroupsSchema, await zip.read(groupsEntry(), MOST.groups), GROUPS);

  async function readPerson(faceid: string, entry: number): Promise<Static<typeof ProfileSchema>> {
    return readJson(ProfileSchema, await zip.read(entry, MOST.person), `people/${faceid}/person.json`);
  }

  /** @returns entry -> SHA-256 */
  async function readSums(): Promise<Buffer> {
    const { size } = zip.names;
    const sums = Buffer.alloc(size * 32);
    const named = createBits(size);
    const found = await readManifestV1(zip.stream(manifestOf(zip)), (name, sum) => {
      const at = zip.names.get(name) ?? refuseArchive(`${name.slice(0, 400)} is missing`);
      if (named.has(at)) refuseArchive(`${MANIFEST_V1} names ${name} twice`);
      named.add(at);
      sums.write(sum, at * 32, 'hex');
    });
    refuseOtherPack(found, pack);
    return sums;
  }

  /** Sorts the entries by person. */
  function gather(): void {
    const pictures = new Map<string, number>();
    const of = (faceid: string) => {
      const there = people.get(faceid) ?? { person: -1, faces: [] };
      people.set(faceid, there);
      return there;
    };
    for (const [name, entry] of zip.names) {
      const kind = kindOf(name) ?? refuseArchive(`it holds "${name.slice(0, 100)}", which no export does`);
      if (kind.kind === 'person') of(kind.faceid).person = entry;
      else if (kind.kind === 'vector') {
        checkFaceId(kind.faceid, kind.face, name);
        of(kind.faceid).faces.push({ id: kind.face, vector: entry, picture: undefined });
      } else if (kind.kind === 'picture') pictures.set(kind.face, entry);
    }
    for (const [faceid, { person, faces }] of people) {
      if (person < 0) refuseArchive(`people/${faceid}/person.json is missing`);
      for (const face of faces) face.picture = pictures.get(face.id);
    }
  }

  return {
    pack,

    async check({ requireGroup, requirePerson, known, signal }: CheckOptions): Promise<Totals> {
      if (zip.pictures.size > 0) refuseArchive('it holds pictures that no export does');
      const sums = await readSums();
      gather();
      for (const [name, entry] of zip.names) {
        throwIfGone(signal);
        const kind = kindOf(name)?.kind ?? 'manifest';
        if (kind === 'manifest') continue;
        const bytes = await zip.read(entry, kind === 'picture' ? PICTURE_BYTES : MOST[kind]);
        const sum = createHash('sha256').update(bytes).digest();
        if (!sum.equals(sums.subarray(entry * 32, entry * 32 + 32)))
          refuseArchive(`${name} is not what the manifest says`);
        if (kind === 'vector') readVector(bytes, name, pack.length);
      }
      const check = createGroupCheck(known, requireGroup);
      for (const group of await readGroups()) check.add(group);
      const found = { people: people.size, faces: 0 };
      for (const [faceid, { person, faces }] of people) {
        throwIfGone(signal);
        const entry = `people/${faceid}/person.json`;
        const profile = await readPerson(faceid, person);
        if (faceIdOf(profile.groupid, profile.userid) !== faceid)
          refuseArchive(`${entry} is about somebody else`);
        check.person(profile, entry);
        await requirePerson?.({ faceid, consent: profile.consent });
        found.faces += faces.length;
      }
      return found;
    },

    async *groups(): AsyncGenerator<ArchivedGroup> {
      yield* await readGroups();
    },

    async *people(): AsyncGenerator<PersonToTake> {
      for (const [faceid, { person, faces }] of people) {
        const profile = await readPerson(faceid, person);
        for (let at = 0; at === 0 || at < faces.length; at += AT_ONCE) {
          const some: FaceToTake[] = [];
          for (const { id, vector, picture } of faces.slice(at, at + AT_ONCE)) {
            const bytes = await zip.read(vector, MOST.vector);
            some.push({
              ...{ id, vector: readVector(bytes, `people/${faceid}/${id}.npy`, pack.length) },
              pictureBytes: picture === undefined ? 0 : zip.bytesOf(picture),
              ...(picture !== undefined && { picture: () => zip.read(picture, PICTURE_BYTES) }),
            });
          }
          yield { ...profile, faceid, faces: some, corrections: [] };
        }
      }
    },

    close: () => zip.close(),
  };
}

/** @throws KaomonError ARCHIVE_INVALID where it is missing or too large */
function manifestOf(zip: Zip): number {
  const entry = zip.names.get(MANIFEST_V1) ?? refuseArchive(`${MANIFEST_V1} is missing`);
  if (zip.bytesOf(entry) > MANIFEST_HEAD + zip.names.size * MANIFEST_LINE)
    refuseArchive(`${MANIFEST_V1} is too large`);
  return entry;
}

/** Whose vectors it holds. @throws KaomonError ARCHIVE_INVALID */
export async function packOfV1(zip: Zip): Promise<Archive['pack']> {
  const { pack, length } = await readManifestV1(zip.stream(manifestOf(zip)), () => undefined);
  return { id: pack, length };
}

/** Faces of a person that are handed over at a time. */
const AT_ONCE = 1000;

/** @returns undefined when no export has such an entry */
function kindOf(entry: string): Kind | undefined {
  if (entry === MANIFEST_V1) return { kind: 'manifest' };
  if (entry === GROUPS) return { kind: 'groups' };
  const [, faceid = '', file = '', ending = ''] =
    /^people\/([^/]+)\/([0-9A-Za-z_.-]+)\.(json|npy|png)$/.exec(entry) ?? [];
  if (!splitFaceId(faceid)) return undefined;
  if (ending === 'json') return file === 'person' ? { kind: 'person', faceid } : undefined;
  return { kind: ending === 'npy' ? 'vector' : 'picture', faceid, face: file };
}

function readVector(bytes: Buffer, entry: string, length: number): Float32Array {
  try {
    return toEmbedding(decodeNpy(bytes), length);
  } catch (error) {
    if (!(error instanceof NpyError || error instanceof RangeError)) throw error;
    refuseArchive(`${entry}: ${error.message}`);
  }
}
