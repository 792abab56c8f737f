import type { Socket } from 'node:net';
import type { App } from '../app-type.js';

/**
 * Keeps the address that a request came from. Node asks the system for it on first use, and for a connection that has
 * been reset there is none. So it is asked for at once, and `request.ip` stays as it was when the request came in; ''
 * where even that was too late.
 */
export function registerAddresses(app: App): void {
  // Node remembers what was asked for once.
  const ask = ({ remoteAddress }: Socket) => remoteAddress;
  app.server.on('connection', ask);
  app.server.on('secureConnection', ask);
  app.addHook('onRequest', (request, _reply, done) => {
    const ip = (request.ip as string | undefined) ?? '';
    Object.defineProperty(request, 'ip', { value: ip, enumerable: true });
    done();
  });
}
