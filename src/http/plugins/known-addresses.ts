import type { FastifyInstance, FastifyRequest } from 'fastify';
import { KaomonError } from '../../platform/errors.js';
import type { App } from '../app-type.js';
import { pathOf, shortPath } from '../paths.js';
import type { Surface } from '../surface.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** What this server has at which address, for requests that no route took. */
    knownAddresses: KnownAddresses;
  }
}

type Unmatched = Pick<FastifyRequest, 'method' | 'url'>;

export interface KnownAddresses {
  /** Why no route took a request: METHOD_NOT_ALLOWED where the address has other methods, else NOT_FOUND. */
  refusal: (request: Unmatched) => KaomonError;
  /** The surface that an address belongs to: the answer has its form. */
  surfaceOf: (url: string) => Surface;
  /** Has a surface answer for every address that begins so, whether there is anything or not. */
  claim: (beginning: RegExp, surface: Surface) => void;
}

/** A pattern of an address with all of its methods. */
interface Known {
  segments: string[];
  methods: Set<string>;
  /** Where it was registered. */
  instance: FastifyInstance;
}

/** Below it nothing is a person of maiface's `/api/:groupid/:userid`. */
const V1 = '/api/v1/';

/**
 * Remembers every route, so that a request with a wrong method is told which ones there are, and a wrong address of a
 * surface is answered in that surface's form. Registered before the routes.
 */
export function registerKnownAddresses(app: App): void {
  const known = new Map<string, Known>();

  const claims: { beginning: RegExp; surface: Surface }[] = [];

  app.addHook('onRoute', function remember({ url, method }) {
    // Files and preflights: whatever the address, there may be nothing there.
    if (url.includes('*')) return;
    const address = known.get(url) ?? {
      segments: url.split('/'),
      methods: new Set(),
      instance: this,
    };
    for (const word of [method].flat()) address.methods.add(word);
    // Of a prefix's second address (`/docs/`) Fastify tells only the HEAD that it adds to the GET.
    if (address.methods.has('HEAD')) address.methods.add('GET');
    known.set(url, address);
  });

  function find(path: string): Known[] {
    const given = path.split('/');
    const isV1 = path.startsWith(V1);
    const fits = ({ segments }: Known) =>
      segments.length === given.length &&
      // As the router has it, a parameter may be empty.
      segments.every((segment, i) => segment.startsWith(':') || segment === given[i]);
    return [...known]
      .filter(([url, one]) => (!isV1 || url.startsWith(V1)) && fits(one))
      .map(([, one]) => one);
  }

  app.decorate('knownAddresses', {
    refusal({ method, url }) {
      const methods = new Set(find(pathOf(url)).flatMap((one) => [...one.methods]));
      if (methods.size === 0 || methods.has(method)) {
        return new KaomonError('NOT_FOUND', `There is nothing at ${method} ${shortPath({ url })}.`);
      }
      const allowed = [...methods].sort();
      return new KaomonError(
        'METHOD_NOT_ALLOWED',
        `${method} is not a method of ${shortPath({ url })}: use ${allowed.join(' or ')}.`,
        { details: { allowed } },
      );
    },

    surfaceOf(url) {
      const path = pathOf(url);
      // The fewer parameters, the nearer: `/api/groups` is no person.
      const literal = ({ segments }: Known) => segments.filter((segment) => !segment.startsWith(':')).length;
      const [nearest] = find(path).sort((a, b) => literal(b) - literal(a));
      if (nearest as Known | undefined) return nearest.instance.surface;
      return claims.find(({ beginning }) => beginning.test(path))?.surface ?? app.surface;
    },

    claim: (beginning, surface) => claims.push({ beginning, surface }),
  });
}
