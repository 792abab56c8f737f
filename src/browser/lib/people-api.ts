import { call } from './api.js';

export interface Person {
  faceid: string;
  groupid: string;
  userid: string;
  username: string;
  /** Enrolled pictures. */
  faces: number;
  enrolledAt: string | null;
}

export interface PersonPicture {
  id: string;
  enrolledAt: string;
  automatic: boolean;
  /** Whether the picture itself was kept, beside its embedding. */
  picture?: boolean;
}

interface PeopleQuery {
  group: string;
  search: string;
  /** `none`: only people without a picture; empty: all. */
  pictures?: string;
  offset: number;
  limit: number;
}

const pathOf = (faceid: string) => `/api/v1/people/${encodeURIComponent(faceid)}`;

export function listPeople(
  { group, search, pictures = '', offset, limit }: PeopleQuery,
  signal?: AbortSignal,
) {
  const query = new URLSearchParams({ offset: String(offset), limit: String(limit) });
  if (group !== '') query.set('group', group);
  if (search !== '') query.set('search', search);
  if (pictures !== '') query.set('pictures', pictures);
  return call<{ total: number; people: Person[] }>('GET', `/api/v1/people?${query}`, { signal });
}

/** Everyone who matches, fetched page by page. */
export async function everyone(query: Pick<PeopleQuery, 'group' | 'search' | 'pictures'>): Promise<Person[]> {
  const all: Person[] = [];
  for (;;) {
    const { total, people } = await listPeople({ ...query, offset: all.length, limit: 1000 });
    all.push(...people);
    if (people.length === 0 || all.length >= total) return all;
  }
}

/** Renames a person, or moves them to another group or ID, which changes their faceid. */
export function changePerson(
  faceid: string,
  change: Partial<Pick<Person, 'username' | 'groupid' | 'userid'>>,
): Promise<Person> {
  return call<Person>('PATCH', pathOf(faceid), { json: change });
}

/** Moves all pictures of `from` to `into` and deletes `from`. */
export function mergePeople(into: string, from: string): Promise<Person> {
  return call<Person>('POST', `${pathOf(into)}/merge`, { json: { from } });
}

/** @param leaving the page is being left, and the request must outlive it */
export function removePerson(faceid: string, leaving: boolean): Promise<void> {
  return call('DELETE', pathOf(faceid), { keepalive: leaving });
}

export function listPictures(faceid: string): Promise<PersonPicture[]> {
  return call<PersonPicture[]>('GET', `${pathOf(faceid)}/faces`);
}

export function removePicture(faceid: string, id: string, leaving: boolean): Promise<void> {
  return call('DELETE', `${pathOf(faceid)}/faces/${encodeURIComponent(id)}`, { keepalive: leaving });
}

/** The URL of a picture that was kept. */
export function pictureUrl(faceid: string, id: string): string {
  return `${pathOf(faceid)}/faces/${encodeURIComponent(id)}/picture`;
}
