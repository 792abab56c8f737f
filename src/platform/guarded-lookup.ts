import { lookup as resolve, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';

/**
 * A lookup of names for connections that must not reach everywhere. It is asked when the connection is made, so a name
 * that pointed to an allowed address a moment ago cannot point elsewhere now.
 * @param isAllowed whether an IP address may be connected to; a name with a single other one is refused
 * @param refusal makes the error of a refused name
 */
export function guardedLookup(isAllowed: (address: string) => boolean, refusal: () => Error): LookupFunction {
  return (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const refused = error ? undefined : addresses.find(({ address }) => !isAllowed(address));
      if (error) done(error, '', 0);
      else if (refused || addresses.length === 0) done(refusal(), '', 0);
      else answerLookup(addresses, options.all, done);
    });
  };
}

function answerLookup(
  addresses: LookupAddress[],
  all: boolean | undefined,
  done: Parameters<LookupFunction>[2],
): void {
  if (all) done(null, addresses);
  else done(null, addresses[0].address, addresses[0].family);
}
