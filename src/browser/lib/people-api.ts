import type { PeopleView } from '../logic/people-view.js';
import { ApiError, call } from './api.js';

export const CONSENT_WAYS = ['form', 'electronic', 'verbal', 'other'] as const;

/** Days are `YYYY-MM-DD`. */
export interface Consent {
  given: string;
  how: (typeof CONSENT_WAYS)[number];
  note?: string;
  until?: string;
  by: string;
  state: 'valid' | 'expiring' | 'over';
}

export interface Person {
  faceid: string;
  groupid: string;
  userid: string;
  username: string;
  /** Enrolled pictures. */
  faces: number;
  enrolledAt: string | null;
  consent?: Consent | null;
  /** The address of a picture; null when none was kept, or when this key may see none. */
  thumbnail?: string | null;
}

export interface PersonPicture {
  id: string;
  enrolledAt: string;
  automatic: boolean;
  /** Whether the picture itself was kept, beside its embedding. */
  picture?: boolean;
}

type Filters = Partial<Pick<PeopleView, 'search' | 'group' | 'pictures' | 'sort'>>;

interface PeoplePage {
  total: number;
  people: Person[];
  /** What to give as `after` for the next page. */
  next?: string;
}

const pathOf = (faceid: string) => `/api/v1/people/${encodeURIComponent(faceid)}`;

/** A page of the people who match, in an order; with `after` always by faceid. */
export function listPeople(
  filters: Filters & { limit: number; offset?: number; after?: string },
  signal?: AbortSignal,
): Promise<PeoplePage> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) {
    if (value !== '') query.set(name, String(value));
  }
  return call<PeoplePage>('GET', `/api/v1/people?${query}`, { signal });
}

/** Everyone who matches, fetched page by page. @param onPage told how many there are so far */
export async function everyone(
  { search = '', group = '', pictures = '' }: Filters,
  onPage: (sofar: number, total: number) => void,
): Promise<Person[]> {
  const all: Person[] = [];
  for (let after = ''; ;) {
    const { total, people, next } = await listPeople({ search, group, pictures, after, limit: 1000 });
    all.push(...people);
    onPage(all.length, total);
    if (next === undefined) return all;
    after = next;
  }
}

export function readPerson(faceid: string): Promise<Person> {
  return call<Person>('GET', pathOf(faceid));
}

/** Renames a person, records a consent, or moves them to another group or ID, which changes their faceid. */
export function changePerson(
  faceid: string,
  change: Partial<Pick<Person, 'username' | 'groupid' | 'userid'>> & {
    consent?: Omit<Consent, 'by' | 'state'> | null;
  },
): Promise<Person> {
  return call<Person>('PATCH', pathOf(faceid), { json: change });
}

/**
 * Moves all pictures of `from` to `into` and deletes `from`.
 * @param leaving the page is being left, and the request must outlive it
 */
export async function mergePeople(into: string, from: string, leaving: boolean): Promise<void> {
  await call<Person>('POST', `${pathOf(into)}/merge`, { json: { from }, keepalive: leaving });
}

/** @param leaving the page is being left, and the request must outlive it */
export function removePerson(faceid: string, leaving: boolean): Promise<void> {
  return gone('PERSON_UNKNOWN', call('DELETE', pathOf(faceid), { keepalive: leaving }));
}

export function listPictures(faceid: string): Promise<PersonPicture[]> {
  return call<PersonPicture[]>('GET', `${pathOf(faceid)}/faces`);
}

export function removePicture(faceid: string, id: string, leaving: boolean): Promise<void> {
  const path = `${pathOf(faceid)}/faces/${encodeURIComponent(id)}`;
  return gone('FACE_UNKNOWN', call('DELETE', path, { keepalive: leaving }));
}

/** What somebody else has deleted meanwhile is deleted; so is what was deleted by a request whose answer got lost. */
async function gone(code: string, deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== code) throw error;
  }
}

/** The URL of a picture that was kept. */
export function pictureUrl(faceid: string, id: string): string {
  return `${pathOf(faceid)}/faces/${encodeURIComponent(id)}/picture`;
}
