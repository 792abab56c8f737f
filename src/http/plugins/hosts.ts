import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { KaomonError } from '../../platform/errors.js';
import type { App } from '../app-type.js';

/** `name`, `name:8443`, `192.0.2.1:8443`, `[::1]:8443`. */
const HOST = /^(?:\[([0-9a-f:.]{2,45})\]|([^\s[\]:/\\?#@]{1,255}))(?::\d{1,5})?$/i;

export interface HostsOptions {
  /** This machine's own names, in lower case. */
  own: readonly string[];
  /** Further names for it, in lower case; `*.a.example` for all below it, `*` for any. */
  allowed: readonly string[];
  /** Nobody is asked for a key: then nothing but the host's name stops the pages of other sites. */
  open: boolean;
}

/**
 * Refuses requests, WebSocket upgrades among them, that are meant for another host. A site can let its name point to
 * this server (DNS rebinding): to the browser its page and this server are then of one origin, and only `Host` tells
 * the two apart. Where a key is asked for, such a page has none; so hosts are checked where no key is asked for, and
 * where `ALLOWED_HOSTS` is set.
 */
export function registerHosts(app: App, { own, allowed, open }: HostsOptions): void {
  if (!open && allowed.length === 0) return;
  app.addHook('onRequest', (request, _reply, done) => {
    const foreign = hostsOf(request).find((host) => !isAllowed(host, own, allowed));
    if (foreign === undefined) done();
    else done(refusal(foreign));
  });
}

/**
 * The hosts that a request says it is for. `Host`, which the browser sets, always counts: a page can add
 * `X-Forwarded-Host`, and where a proxy on this machine is trusted, so is that page. What a proxy says counts as well: it
 * may put its own name for this server into `Host`.
 */
function hostsOf({ headers, host }: Pick<FastifyRequest, 'headers' | 'host'>): string[] {
  // Only programs of HTTP/1.0 leave it out.
  const said = headers.host === undefined ? [] : [headers.host];
  return host && host !== headers.host ? [...said, host] : said;
}

/**
 * Whether a `Host` is one of this server's. An IP address always is: a page cannot let it point elsewhere.
 */
export function isAllowed(host: string, own: readonly string[], allowed: readonly string[]): boolean {
  const [, v6 = '', name = ''] = HOST.exec(host) ?? [];
  if (v6 !== '') return isIP(v6) === 6;
  if (isIP(name) === 4) return true;
  const plain = name.toLowerCase().replace(/\.$/, '');
  if (plain === '') return false;
  return (
    own.includes(plain) ||
    allowed.some(
      (word) => word === '*' || word === plain || (word.startsWith('*.') && plain.endsWith(word.slice(1))),
    )
  );
}

function refusal(host: string): KaomonError {
  return new KaomonError(
    'FORBIDDEN',
    `This server does not answer to the name "${host.slice(0, 100)}": if it is one of its names, add it to ALLOWED_HOSTS.`,
  );
}
