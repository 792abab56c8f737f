/** So many characters of an address are repeated in a log or an answer. */
const MOST = 200;

/** An address without its query. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

/** A request's path without its query, cut where it is long. */
export function shortPath({ url }: { url: string }): string {
  const path = pathOf(url);
  return path.length <= MOST ? path : `${path.slice(0, MOST)}…`;
}
