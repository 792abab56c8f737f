import { KaomonError, throwIfGone } from '../../platform/errors.js';
import { toEmbedding } from '../embedding.js';
import { parseFaceId } from '../face-name.js';
import { faceIdOf } from '../ids.js';
import { decodeNpy, NpyError } from '../store/npy.js';
import type { Enrolment, Gallery, Person } from '../types.js';
import {
  GROUPS,
  GroupsFileSchema,
  MANIFEST,
  type Manifest,
  ManifestSchema,
  PersonFileSchema,
  readJson,
  refuseArchive,
  sha256,
} from './manifest.js';
import { type OpenArchive, openArchive } from './read-zip.js';

export interface ImportDeps {
  gallery: Pick<Gallery, 'groups' | 'createGroup' | 'person' | 'createPerson' | 'vectors' | 'remove'>;
  /** Enrols a face that the person does not have yet, by identity's rules. */
  enrol: (
    enrolment: Omit<Enrolment, 'crop'>,
    face: Pick<Enrolment, 'crop'> & { embedding: Float32Array },
  ) => Promise<unknown>;
  pack: { id: string; length: number };
}

/** The outcome of an import. */
export interface ImportReport {
  groups: Taken;
  people: Taken;
  faces: Taken;
}
export interface Taken {
  added: number;
  /** There already. */
  skipped: number;
}

export interface ImportOptions {
  /** Called for each group before anything is changed; throws to refuse the import. */
  requireGroup?: (groupid: string) => void;
  /** Aborted when the client has hung up: the import then stops between two people. */
  signal?: AbortSignal;
  /** Called for each group that was created and each person who was changed. */
  report?: (list: 'groups' | 'people', id: string) => void;
}

/**
 * Imports an export. Every entry is checked against the manifest before anything is changed. What is there already is
 * skipped, so that an interrupted import continues when it is run again; people who are there keep name and metadata.
 * @param file the zip's path or a descriptor of it; only read
 * @throws KaomonError ARCHIVE_INVALID, OTHER_PACK, CLIENT_GONE, and what `requireGroup` and the gallery throw
 */
export async function importGallery(
  deps: ImportDeps,
  file: string | number,
  { requireGroup = () => undefined, signal, report: tell = () => undefined }: ImportOptions = {},
): Promise<ImportReport> {
  const { gallery, pack } = deps;
  const archive = await openArchive(file);
  try {
    const people = await verify(archive, pack, requireGroup, signal);
    const groups = readJson(GroupsFileSchema, await archive.read(GROUPS), GROUPS);
    const report: ImportReport = {
      groups: await takeGroups(gallery, groups, (groupid) => tell('groups', groupid)),
      people: { added: 0, skipped: 0 },
      faces: { added: 0, skipped: 0 },
    };
    for (const [faceid, faces] of people) {
      throwIfGone(signal);
      const before = report.people.added + report.faces.added;
      try {
        await takePerson(deps, archive, faceid, faces, report);
      } finally {
        if (report.people.added + report.faces.added > before) tell('people', faceid);
      }
    }
    return report;
  } finally {
    archive.close();
  }
}

/**
 * Reads and checks all of an archive.
 * @returns faceid -> IDs of the faces
 */
async function verify(
  archive: OpenArchive,
  pack: ImportDeps['pack'],
  requireGroup: (groupid: string) => void,
  signal: AbortSignal | undefined,
): Promise<Map<string, string[]>> {
  const manifest = readJson(ManifestSchema, await archive.read(MANIFEST), MANIFEST);
  refuseOtherPack(manifest, pack);
  const sums = new Map(Object.entries(manifest.entries));
  for (const entry of sums.keys()) if (!archive.entries.has(entry)) refuseArchive(`${entry} is missing`);
  const people = new Map<string, string[]>();
  const withoutPerson = new Set<string>();
  for (const [entry, kind] of archive.entries) {
    if (kind.kind === 'manifest') continue;
    throwIfGone(signal);
    const bytes = await archive.read(entry);
    if (sums.get(entry) !== sha256(bytes)) refuseArchive(`${entry} is not what the manifest says`);
    if (kind.kind === 'groups') {
      for (const { groupid } of readJson(GroupsFileSchema, bytes, entry)) requireGroup(groupid);
      continue;
    }
    const faces = people.get(kind.faceid) ?? [];
    if (faces.length === 0 && !people.has(kind.faceid)) withoutPerson.add(kind.faceid);
    people.set(kind.faceid, faces);
    if (kind.kind === 'person') {
      const { groupid, userid } = readJson(PersonFileSchema, bytes, entry);
      if (faceIdOf(groupid, userid) !== kind.faceid) refuseArchive(`${entry} is about somebody else`);
      requireGroup(groupid);
      withoutPerson.delete(kind.faceid);
    } else if (kind.kind === 'vector') {
      if (!parseFaceId(kind.faceid, kind.face))
        refuseArchive(`${entry} is not named like a face of this person`);
      readVector(bytes, entry, pack.length);
      faces.push(kind.face);
    }
  }
  for (const faceid of withoutPerson) refuseArchive(`people/${faceid}/person.json is missing`);
  return people;
}

function refuseOtherPack(manifest: Manifest, pack: ImportDeps['pack']): void {
  if (manifest.pack === pack.id && manifest.length === pack.length) return;
  throw new KaomonError(
    'OTHER_PACK',
    `The archive's vectors were made by the pack "${manifest.pack}", this server's by "${pack.id}": they cannot be ` +
      `compared. Start with MODEL_PACK=${manifest.pack}, or enrol the pictures anew.`,
    { details: { archive: manifest.pack, server: pack.id } },
  );
}

function readVector(bytes: Buffer, entry: string, length: number): Float32Array {
  try {
    return toEmbedding(decodeNpy(bytes), length);
  } catch (error) {
    if (!(error instanceof NpyError || error instanceof RangeError)) throw error;
    refuseArchive(`${entry}: ${error.message}`);
  }
}

async function takeGroups(
  gallery: ImportDeps['gallery'],
  groups: readonly { groupid: string; groupname: string }[],
  added: (groupid: string) => void,
): Promise<Taken> {
  const taken = { added: 0, skipped: 0 };
  const known = new Set(gallery.groups().map(({ groupid }) => groupid));
  for (const group of groups) {
    if (known.has(group.groupid)) taken.skipped += 1;
    else {
      await gallery.createGroup(group);
      added(group.groupid);
      taken.added += 1;
    }
  }
  return taken;
}

async function takePerson(
  deps: ImportDeps,
  archive: OpenArchive,
  faceid: string,
  faces: readonly string[],
  { people, faces: counted }: ImportReport,
): Promise<void> {
  const { gallery } = deps;
  const entry = `people/${faceid}/person.json`;
  const person = readJson(PersonFileSchema, await archive.read(entry), entry);
  const there = await gallery.person(faceid);
  if (there) people.skipped += 1;
  else {
    await gallery.createPerson(person);
    people.added += 1;
  }
  const before = counted.added;
  try {
    await takeFaces(deps, archive, { ...person, faceid }, faces, counted);
  } catch (error) {
    // On a full disk, say, a new person must not stay without a face: the next import starts with them again.
    if (!there && counted.added === before)
      await gallery.remove(person.groupid, person.userid).catch(() => undefined);
    throw error;
  }
}

async function takeFaces(
  { gallery, pack, enrol }: ImportDeps,
  archive: OpenArchive,
  { faceid, groupid, userid }: Pick<Person, 'faceid' | 'groupid' | 'userid'>,
  faces: readonly string[],
  counted: Taken,
): Promise<void> {
  // By their vectors, because IDs change when a person moves.
  const known = new Set((await gallery.vectors(faceid)).map(({ vector }) => hashVector(vector)));
  for (const face of faces) {
    const path = `people/${faceid}/${face}`;
    const embedding = readVector(await archive.read(`${path}.npy`), `${path}.npy`, pack.length);
    const hash = hashVector(embedding);
    if (known.has(hash)) {
      counted.skipped += 1;
      continue;
    }
    known.add(hash);
    const crop = archive.entries.has(`${path}.png`) ? await archive.read(`${path}.png`) : undefined;
    // The ID stays, because other programs know the face by it (CompreFace's `image_id` is made of it).
    await enrol({ groupid, userid, id: face }, { embedding, crop });
    counted.added += 1;
  }
}

function hashVector(vector: Float32Array): string {
  return sha256(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
}
