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

/** As `kaomon keys add` shows it. */
const KEY = /^kao_[0-9a-f]{10}_[0-9A-Za-z_-]{43}$/;

/**
 * What somebody typed or pasted into the field for the key. Spaces and line breaks that a chat or a mail adds go, and the
 * wide letters of a Japanese keyboard become plain ones; a whole sign-in link is taken as one.
 * @returns `cut`: the beginning of a key, or one with too much behind it; `other`: no key at all
 */
export function readKey(typed: string): Credential | 'cut' | 'other' {
  const text = typed.normalize('NFKC').replace(/[\s\u200b-\u200d\u2060\ufeff]/g, '');
  const at = text.indexOf('#');
  const linked = at === -1 ? undefined : credentialOf(text.slice(at));
  if (linked) return linked;
  if (KEY.test(text)) return { key: text };
  return text.startsWith('kao_') ? 'cut' : 'other';
}
