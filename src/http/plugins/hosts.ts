import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { KaomonError } from '../../platform/errors.js';
import type { App } from '../app-type.js';

/** `name`, `name:8443`, `192.0.2.1:8443`, `[::1]:8443`. */
const HOST = /^(?:\[([0-9a-f:.]{2,45})\]|([^\s[\]:/\\?#@]{1,255}))(?::\d{1,5})?$/i;

export interface HostsOptions {
  /** This machine's own names, in small letters. */
  own: readonly string[];
  /** Others under which it may be asked, in small letters; `*.a.example` for all below it, `*` for any. */
  allowed: readonly string[];
  /** Nobody is asked for a key: then a page of any site is stopped by nothing but its name. */
  open: boolean;
}

/**
 * Refuses requests, WebSocket upgrades among them, that are meant for another host. A site can let its name point to
 * this server (DNS rebinding): to the browser its page and this server's answers are then of one origin, and only
 * `Host` tells the two apart. Where a key is asked for the page has none, so that this is done without keys, and where
 * somebody has listed hosts.
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
 * What a request says of the host it is for. The browser's own word is always asked: a page can add
 * `X-Forwarded-Host`, and where a proxy on this machine is trusted, so is that page. A proxy's word counts, too: it may
 * put its own name for this server into `Host`.
 */
function hostsOf({ headers, host }: Pick<FastifyRequest, 'headers' | 'host'>): string[] {
  // Only programs of HTTP/1.0 leave it out.
  const said = headers.host === undefined ? [] : [headers.host];
  return host && host !== headers.host ? [...said, host] : said;
}

/**
 * Whether a `Host` is one of this server's. An address always is: a page that has one in its own address came from
 * there.
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
    `This server does not answer to the name "${host.slice(0, 100)}": where it is one of its own, name it in ALLOWED_HOSTS.`,
  );
}
