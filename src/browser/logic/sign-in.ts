/**
 * Where to go after signing in: a page of this server only, so that a link cannot lead anywhere else.
 * @param next the page that the sign-in page was asked to return to
 */
export function safeNext(next: string | null): string {
  if (next === null || !/^\/(?![/\\])/.test(next) || /[\\\s]/.test(next)) return '/';
  return next.startsWith('/signin') ? '/' : next;
}

/** What a user signs in with: a link's token, which works once, or a key. */
export type Credential = { token: string } | { key: string };

/** The credential in a URL's fragment, `#token=...` or `#key=...`; undefined when it has neither. */
export function credentialOf(hash: string): Credential | undefined {
  const parameters = new URLSearchParams(hash.replace(/^#/, ''));
  const token = parameters.get('token')?.trim();
  if (token) return { token };
  const key = parameters.get('key')?.trim();
  return key ? { key } : undefined;
}
