import type { Socket } from 'node:net';
import type { App } from '../app-type.js';

/**
 * Keeps the address that a request came from. Node asks the system for it when somebody first wants it, and of a
 * connection that was reset there is none to be had: it is asked for at once, and `request.ip` stays what it was when
 * the request came in; '' where even that was too late.
 */
export function registerAddresses(app: App): void {
  // A look is enough: what was asked for once is remembered.
  const look = ({ remoteAddress }: Socket) => remoteAddress;
  app.server.on('connection', look);
  app.server.on('secureConnection', look);
  app.addHook('onRequest', (request, _reply, done) => {
    const ip = (request.ip as string | undefined) ?? '';
    Object.defineProperty(request, 'ip', { value: ip, enumerable: true });
    done();
  });
}
