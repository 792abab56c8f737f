import { newIds } from '../logic/person-id.js';
import type { Sighting } from '../logic/visits.js';
import { ApiError, call } from './api.js';
import { listPeople } from './people-api.js';
import type { NewPerson } from './person-fields.js';

/** What to ask for; '' and undefined do not count. */
export interface SightingQuery {
  /** ISO 8601. */
  from?: string;
  to?: string;
  faceid?: string;
  groupid?: string;
  deviceid?: string;
  /** `true`: unknown faces only, `false`: people only, `u-7`: this one. */
  unknown?: string;
  limit?: number;
  /** From `next` of the page before. */
  after?: string;
}

export interface SightingPage {
  sightings: Sighting[];
  next: string | null;
}

/** A stranger, with all visits that show the same face. */
export interface UnknownFace {
  id: string;
  visits: number;
  first: string;
  last: string;
  deviceids: string[];
  /** Addresses of up to three. */
  pictures: string[];
  ignored: boolean;
  /** Another one who may be the same person. */
  like: string | null;
}

/** What is kept, and where visits were seen. */
export interface SightingFacts {
  deviceids: string[];
  /** How long visits of people, and of unknown faces, are kept. */
  days: number;
  unknownsDays: number;
  keepsPictures: boolean;
}

/** Naming somebody may collide with namesakes so often, before it is given up. */
const MOST_IDS = 100;

const pathOf = (id: string) => `/api/v1/unknowns/${encodeURIComponent(id)}`;

/** The address of sightings, newest first. @param format `csv`: all of them, for a spreadsheet */
export function sightingsAddress(query: SightingQuery, format?: 'csv'): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries<string | number | undefined>({ ...query, format })) {
    if (value !== undefined && value !== '') given.set(name, String(value));
  }
  return `/api/v1/sightings?${given}`;
}

/** A page of sightings, newest first. */
export function listSightings(query: SightingQuery, signal?: AbortSignal): Promise<SightingPage> {
  return call<SightingPage>('GET', sightingsAddress(query), { signal });
}

export function readSighting(id: number): Promise<Sighting> {
  return call<Sighting>('GET', `/api/v1/sightings/${id}`);
}

export function sightingFacts(): Promise<SightingFacts> {
  return call<SightingFacts>('GET', '/api/v1/sightings/cameras');
}

/** @param leaving the page is being left, and the request must outlive it */
export async function removeSighting(id: number, leaving: boolean): Promise<void> {
  await call('DELETE', `/api/v1/sightings/${id}`, { keepalive: leaving });
}

/** Says that a sighting does not show the person it is told to show. @returns the ID of the correction, to take it back by */
export async function correctSighting(id: number): Promise<number | string> {
  const made = await call<{ id: number | string }>('POST', '/api/v1/corrections', { json: { sighting: id } });
  return made.id;
}

export async function removeCorrection(id: number | string): Promise<void> {
  await call('DELETE', `/api/v1/corrections/${encodeURIComponent(String(id))}`);
}

export function listUnknowns(
  query: { ignored: boolean; limit: number; after?: string | undefined },
  signal?: AbortSignal,
): Promise<{ unknowns: UnknownFace[]; next: string | null }> {
  const given = new URLSearchParams({ ignored: String(query.ignored), limit: String(query.limit) });
  if (query.after !== undefined) given.set('after', query.after);
  return call('GET', `/api/v1/unknowns?${given}`, { signal });
}

/** What takes back a change of an unknown face. */
type Undo = () => Promise<void>;

const undoBy =
  ({ undo }: { undo: string }): Undo =>
  () =>
    call('POST', '/api/v1/unknowns/undo', { json: { token: undo } });

/**
 * Enrols an unknown face as somebody new, who gets its visits. One whose ID was left empty gets one that nobody has.
 * @throws ApiError
 */
export async function nameUnknown(id: string, person: NewPerson, force: boolean): Promise<Undo> {
  const name = (userid: string) =>
    call<{ undo: string }>('POST', `${pathOf(id)}/name`, { json: { ...person, userid, force } });
  if (person.userid !== '') return undoBy(await name(person.userid));
  const { total } = await listPeople({ group: person.groupid, offset: 0, limit: 1 });
  let tried = 0;
  for (const userid of newIds(person.username, total)) {
    try {
      return undoBy(await name(userid));
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'PERSON_EXISTS' || ++tried >= MOST_IDS) throw error;
    }
  }
  throw new Error('There is no ID left.');
}

/**
 * Gives an unknown face, and its visits, to somebody enrolled, or to another unknown face.
 * @throws ApiError
 */
export async function unknownIs(
  id: string,
  same: { faceid: string; force: boolean } | { unknown: string },
): Promise<Undo> {
  return undoBy(await call('POST', `${pathOf(id)}/same-as`, { json: same }));
}

/** Keeps quiet about an unknown face, or no longer. @throws ApiError */
export async function ignoreUnknown(id: string, ignored: boolean): Promise<Undo> {
  return undoBy(await call(ignored ? 'PUT' : 'DELETE', `${pathOf(id)}/ignored`));
}

export function readUnknown(id: string): Promise<UnknownFace> {
  return call<UnknownFace>('GET', pathOf(id));
}
