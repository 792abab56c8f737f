const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * The address that another device opens to sign in: at the page's own address, unless that is this very machine's, which
 * means something else on another device.
 * @param here the page's origin
 * @param urls the server's addresses for other devices, the likeliest first
 * @returns undefined when no other device can reach the server
 */
export function linkAddress(here: string, urls: readonly string[], token: string): string | undefined {
  const origin = LOOPBACK.includes(new URL(here).hostname) ? urls.at(0) : here;
  return origin && `${origin}/signin#token=${token}`;
}
