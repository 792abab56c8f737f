/** Orders of the list that the page offers; the first one unless something else was chosen. */
export const SORTS = ['name', 'newest', 'faces'] as const;
export type Sort = (typeof SORTS)[number];

/** What `/people` shows: all of it stands in the address, so that Back, Reload and a bookmark show the same again. */
export interface PeopleView {
  search: string;
  /** groupid; '': all. */
  group: string;
  /** `none`: only people without a picture. */
  pictures: '' | 'none';
  sort: Sort;
  /** Counted from 1. */
  page: number;
  /** faceid of the person whose dialog is open; '': none. */
  person: string;
}

const LONGEST_PAGE = 1e7;

/** Reads the part of an address behind the question mark; what makes no sense counts as not there. */
export function readView(query: string): PeopleView {
  const given = new URLSearchParams(query);
  const page = Number(given.get('page') ?? 1);
  return {
    search: given.get('search') ?? '',
    group: given.get('group') ?? '',
    pictures: given.get('pictures') === 'none' ? 'none' : '',
    sort: SORTS.find((sort) => sort === given.get('sort')) ?? SORTS[0],
    page: Number.isInteger(page) && page >= 1 && page <= LONGEST_PAGE ? page : 1,
    person: given.get('person') ?? '',
  };
}

/** The other way round. @returns with its question mark; '' for the page as it opens by itself */
export function writeView({ search, group, pictures, sort, page, person }: PeopleView): string {
  const query = new URLSearchParams();
  if (search !== '') query.set('search', search);
  if (group !== '') query.set('group', group);
  if (pictures !== '') query.set('pictures', pictures);
  if (sort !== SORTS[0]) query.set('sort', sort);
  if (page > 1) query.set('page', String(page));
  if (person !== '') query.set('person', person);
  const text = query.toString();
  return text && `?${text}`;
}

/** Whether some people are left out. */
export function isFiltered({ search, group, pictures }: PeopleView): boolean {
  return search.trim() !== '' || group !== '' || pictures !== '';
}
