import { createHash } from 'node:crypto';
import { KaomonError, throwIfGone } from '../../platform/errors.js';
import type { Enrolment, Gallery, Person } from '../types.js';
import type { Archive, CheckOptions, CorrectionToTake, FaceToTake, PersonToTake, Totals } from './archive.js';
import type { ArchivedGroup } from './format.js';
import { inParallel } from './in-parallel.js';
import { openArchive } from './open-archive.js';

export interface ImportDeps {
  gallery: Pick<
    Gallery,
    | 'groups'
    | 'createGroup'
    | 'knows'
    | 'person'
    | 'restorePeople'
    | 'vectors'
    | 'correct'
    | 'correctionVectors'
  >;
  /** Enrols a face that a person does not have yet, by identity's rules. */
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
  /** Of the archive's version 3. */
  corrections: Taken;
}
export interface Taken {
  added: number;
  /** There already. */
  skipped: number;
}

export interface ImportOptions {
  /** Called for each group before anything is changed; throws to refuse the import. */
  requireGroup?: (groupid: string) => void;
  /** As `CheckOptions.requirePerson`. */
  requirePerson?: CheckOptions['requirePerson'];
  /** Aborted when the client has hung up: the import then stops between two people. */
  signal?: AbortSignal;
  /** Called for each group that was created and each person who was changed. */
  report?: (list: 'groups' | 'people', id: string) => void;
  /** Called once the archive was checked, and for each person. */
  progress?: (done: Readonly<ImportReport>, of: Totals) => void;
}

/** New people who are written at a time, and the most bytes of their pictures: they wait for the disk together. */
const MANY = { people: 500, bytes: 16_000_000 };
/** So many times that, or people who are there, are worked on at a time: one is made ready while another is written. */
const AT_ONCE = 3;
/** The most bytes of pictures that a new person is written with in one go; further ones follow one by one. */
const PICTURES = 4_000_000;
/** An ID that ends in so many digits that were made by chance is no other face's. */
const BY_CHANCE = /_[am][0-9a-f]{10,}$/;

/**
 * Imports an export. All of it is checked before anything is changed. What is there already is passed over, so that an
 * interrupted import continues when it is run again; people who are there keep name and metadata.
 * @param file the zip's path or a descriptor of it; only read
 * @throws KaomonError ARCHIVE_INVALID, OTHER_PACK, CLIENT_GONE, and what `requireGroup` and the gallery throw
 */
export async function importGallery(
  deps: ImportDeps,
  file: string | number,
  options: ImportOptions = {},
): Promise<ImportReport> {
  const { requireGroup = () => undefined, requirePerson, signal, progress } = options;
  const { report: tell = () => undefined } = options;
  const { gallery } = deps;
  const archive = await openArchive(file, deps.pack);
  try {
    const known = new Set(gallery.groups().map(({ groupid }) => groupid));
    const totals = await archive.check({ requireGroup, requirePerson, known, signal });
    const report: ImportReport = {
      groups: { added: 0, skipped: 0 },
      people: { added: 0, skipped: 0 },
      faces: { added: 0, skipped: 0 },
      corrections: { added: 0, skipped: 0 },
    };
    progress?.(report, totals);
    await takeGroups(gallery, known, archive.groups(), report.groups, (groupid) => tell('groups', groupid));
    const told = (faceid: string) => tell('people', faceid);
    await inParallel(inTurn(archive, gallery), AT_ONCE, async ({ people, before, done }) => {
      try {
        const isMore = await before;
        throwIfGone(signal);
        await takePeople(deps, people, isMore, report, told);
        progress?.(report, totals);
      } finally {
        done();
      }
    });
    return report;
  } finally {
    await archive.close();
  }
}

interface Turn {
  /** New, as far as this process knows, when they are several. */
  people: PersonToTake[];
  /** Resolves when earlier faces of the same person are there; to false at once where there are none. */
  before: Promise<boolean>;
  done: () => void;
}

/** Everybody of an archive: who is new by the many, with what lets parts of one person wait for each other. */
async function* inTurn(archive: Archive, gallery: Pick<Gallery, 'knows'>): AsyncGenerator<Turn> {
  let last = '';
  let earlier = Promise.resolve();
  let many: PersonToTake[] = [];
  let bytes = 0;

  function turn(people: PersonToTake[], before: Promise<boolean>): Turn {
    let done: () => void = () => undefined;
    earlier = new Promise((resolve) => (done = resolve));
    return { people, before, done };
  }
  function* rest(): Generator<Turn> {
    if (many.length > 0) yield turn(many, Promise.resolve(false));
    many = [];
    bytes = 0;
  }

  for await (const person of archive.people()) {
    const isMore = person.faceid === last;
    last = person.faceid;
    if (isMore || gallery.knows(person.faceid)) {
      if (isMore) yield* rest();
      yield turn([person], isMore ? earlier.then(() => true) : Promise.resolve(false));
      continue;
    }
    many.push(person);
    for (const { pictureBytes } of person.faces) bytes += pictureBytes;
    for (const { vector, crop } of person.corrections) bytes += vector.byteLength + (crop?.length ?? 0);
    if (many.length >= MANY.people || bytes >= MANY.bytes) yield* rest();
  }
  yield* rest();
}

async function takeGroups(
  gallery: ImportDeps['gallery'],
  known: ReadonlySet<string>,
  groups: AsyncIterable<ArchivedGroup>,
  taken: Taken,
  added: (groupid: string) => void,
): Promise<void> {
  for await (const group of groups) {
    if (known.has(group.groupid)) taken.skipped += 1;
    else {
      await gallery.createGroup(group);
      added(group.groupid);
      taken.added += 1;
    }
  }
}

/** @param isMore earlier faces of the person, who is the only one, were taken just now */
async function takePeople(
  deps: ImportDeps,
  people: readonly PersonToTake[],
  isMore: boolean,
  report: ImportReport,
  changed: (faceid: string) => void,
): Promise<void> {
  const { gallery } = deps;
  const isNew = people.filter(({ faceid }) => !gallery.knows(faceid));
  const parts = isNew.map(({ faces }) => split(faces));
  const restored = await restore(
    gallery,
    isNew.map((person, i) => ({ ...person, faces: parts[i].first })),
  );
  const left = new Map(people.map((person) => [person, person.faces]));
  for (const [i, person] of isNew.entries()) {
    // Undefined when another worker has just made the person.
    if (!restored[i]) continue;
    const { first, rest, same } = parts[i];
    report.people.added += 1;
    report.faces.added += first.length;
    report.faces.skipped += same;
    report.corrections.added += person.corrections.length;
    changed(person.faceid);
    left.set(person, rest);
  }
  const made = new Set(isNew.filter((_, i) => restored[i]));
  for (const [person, faces] of left) {
    if (!made.has(person) && !isMore) report.people.skipped += 1;
    if (faces.length > 0) await takeMissing(deps, person, faces, report, changed);
    if (!made.has(person)) await takeCorrections(gallery, person, report.corrections, changed);
  }
}

/** Takes the faces that a person who is there lacks. */
async function takeMissing(
  deps: ImportDeps,
  person: PersonToTake,
  faces: readonly FaceToTake[],
  { faces: counted }: ImportReport,
  changed: (faceid: string) => void,
): Promise<void> {
  const { faceid } = person;
  const there = await deps.gallery.person(faceid);
  const missing = faces.filter((face) => !has(there, face));
  counted.skipped += faces.length - missing.length;
  if (missing.length === 0) return;
  const taken = { added: 0, skipped: 0 };
  try {
    // Who is there keeps the consent, too.
    const consent = there?.consent ? undefined : person.consent;
    await takeFaces(deps, { ...person, consent }, missing, taken);
  } finally {
    counted.added += taken.added;
    counted.skipped += taken.skipped;
    if (taken.added > 0) changed(faceid);
  }
}

/** Says what a person who is there lacks. */
async function takeCorrections(
  gallery: ImportDeps['gallery'],
  { faceid, corrections }: PersonToTake,
  counted: Taken,
  changed: (faceid: string) => void,
): Promise<void> {
  if (corrections.length === 0) return;
  // By their vectors, as faces: nothing is asked of the store for those that are there.
  const known = new Set(gallery.correctionVectors(faceid).map(({ vector }) => hashVector(vector)));
  for (const { id, vector, crop } of corrections) {
    const isNew = !known.has(hashVector(vector)) && (await correct(gallery, faceid, { id, vector, crop }));
    counted[isNew ? 'added' : 'skipped'] += 1;
    if (isNew) changed(faceid);
  }
}

/** @returns false when it is there, or cannot be: the picture is enrolled here, or too much was said of the person */
async function correct(
  gallery: ImportDeps['gallery'],
  faceid: string,
  { id, vector, crop }: CorrectionToTake,
): Promise<boolean> {
  try {
    return !(await gallery.correct(faceid, vector, crop, id)).already;
  } catch (error) {
    if (error instanceof KaomonError && error.code === 'CORRECTION_REFUSED') return false;
    throw error;
  }
}

/** Whether the person has this face, by its ID alone: nothing is read for people who are all there. */
function has(person: Person | undefined, { id }: FaceToTake): boolean {
  return BY_CHANCE.test(id) && (person?.faces.some((face) => face.id === id) ?? false);
}

/**
 * Divides the faces of a new person.
 * @returns first: those to write in one go; rest: those whose pictures are too much for it; same: how many are there twice
 */
function split(faces: readonly FaceToTake[]): { first: FaceToTake[]; rest: FaceToTake[]; same: number } {
  const seen = new Set<string>();
  const first: FaceToTake[] = [];
  const rest: FaceToTake[] = [];
  let bytes = 0;
  for (const face of faces) {
    const hash = hashVector(face.vector);
    if (seen.has(hash)) continue;
    seen.add(hash);
    bytes += face.pictureBytes;
    (bytes <= PICTURES || first.length === 0 ? first : rest).push(face);
  }
  return { first, rest, same: faces.length - first.length - rest.length };
}

/** @returns of each, the person; undefined when another worker has just made them */
async function restore(
  gallery: ImportDeps['gallery'],
  people: readonly PersonToTake[],
): Promise<(Person | undefined)[]> {
  const taken = [];
  for (const { groupid, userid, username, metadata, consent, faces, corrections } of people) {
    const read = [];
    for (const { id, vector, picture } of faces) read.push({ id, vector, crop: await picture?.() });
    taken.push({ groupid, userid, username, metadata, consent, faces: read, corrections });
  }
  return taken.length > 0 ? await gallery.restorePeople(taken) : [];
}

async function takeFaces(
  { gallery, enrol }: ImportDeps,
  { faceid, groupid, userid, consent }: PersonToTake,
  faces: readonly FaceToTake[],
  counted: Taken,
): Promise<void> {
  // By their vectors, because IDs change when a person moves.
  const known = new Set((await gallery.vectors(faceid)).map(({ vector }) => hashVector(vector)));
  for (const { id, vector, picture } of faces) {
    const hash = hashVector(vector);
    if (known.has(hash)) {
      counted.skipped += 1;
      continue;
    }
    known.add(hash);
    // The ID stays, because other programs know the face by it (CompreFace's `image_id` is made of it).
    await enrol({ groupid, userid, id, consent }, { embedding: vector, crop: await picture?.() });
    counted.added += 1;
  }
}

function hashVector(vector: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))
    .digest('base64');
}
