/**
 * Where to go after signing in: an address of this server only, so that a link cannot lead elsewhere.
 * @param next what the sign-in page was told
 */
export function safeNext(next: string | null): string {
  if (next === null || !/^\/(?![/\\])/.test(next) || /[\\\s]/.test(next)) return '/';
  return next.startsWith('/signin') ? '/' : next;
}

/** What somebody signs in by: a link's token, which is used up by it, or a key. */
export type Credential = { token: string } | { key: string };

/** What an address holds behind its `#`, as `#token=...` or `#key=...`; undefined when it holds neither. */
export function credentialOf(hash: string): Credential | undefined {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const [token, key] = ['token', 'key'].map((name) => given.get(name)?.trim() ?? '');
  if (token !== '') return { token };
  return key === '' ? undefined : { key };
}
