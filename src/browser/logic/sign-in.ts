/**
 * Where to go after signing in: an address of this server only, so that a link cannot lead elsewhere.
 * @param next what the sign-in page was told
 */
export function safeNext(next: string | null): string {
  if (next === null || !/^\/(?![/\\])/.test(next) || /[\\\s]/.test(next)) return '/';
  return next.startsWith('/signin') ? '/' : next;
}

/** The key in `#key=...`; undefined when there is none. */
export function keyOf(hash: string): string | undefined {
  const key = new URLSearchParams(hash.replace(/^#/, '')).get('key')?.trim();
  return key === undefined || key === '' ? undefined : key;
}
