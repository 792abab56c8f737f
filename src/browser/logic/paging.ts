/** A page of a long list. */
interface Paging {
  offset: number;
  limit: number;
  total: number;
}

/** The offset some pages further on, or back; never outside the list. */
export function turnPage({ offset, limit, total }: Paging, by: number): number {
  const last = Math.max(0, Math.ceil(total / limit) - 1);
  return Math.max(0, Math.min(last, Math.floor(offset / limit) + by)) * limit;
}

/** First and last entry shown, counted from 1; 0 and 0 when there is none. */
export function shownOf({ offset, limit, total }: Paging): { first: number; last: number } {
  if (total === 0) return { first: 0, last: 0 };
  return { first: offset + 1, last: Math.min(total, offset + limit) };
}

/** Up to two letters, shown in place of a picture. */
export function initialsOf(name: string): string {
  const parts = name
    .trim()
    .split(/[\s_.]+/u)
    .filter((part) => part !== '');
  const first = (text: string | undefined) => Array.from(text ?? '').at(0) ?? '';
  return (first(parts[0]) + (parts.length > 1 ? first(parts.at(-1)) : '')).toUpperCase();
}
