import swagger from '@fastify/swagger';
import { VERSION } from '../../platform/version.js';
import type { TSchema } from 'typebox';
import type { App } from '../app-type.js';
import { COMPREFACE_ADDRESS } from '../compreface/format.js';

/** The groups of addresses, in the order in which a reader needs them. */
const TAGS = [
  ['recognition', 'Find, name, compare and embed faces.'],
  ['people', 'Who is enrolled, and their pictures.'],
  ['groups', 'What people are sorted into; a key may be tied to some.'],
  ['check-up', 'What is wrong in the gallery, and what a threshold does to it.'],
  ['events', 'What happens, as it happens.'],
  ['sightings', 'Who came by, when and where.'],
  ['transfer', 'The gallery as one archive.'],
  ['access', 'Keys and sessions.'],
  ['operation', 'Health, status and metrics.'],
  ['maiface', 'The surface of the system that this one takes the place of.'],
  ['compreface', 'The surface of CompreFace.'],
] as const;

/** Methods whose body nobody looks at. */
const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * The OpenAPI 3.1 document, made of the routes' own schemas; ../document.ts serves it. Registered before the routes; those
 * without a tag (pages, files) are left out.
 */
export async function registerOpenApi(app: App): Promise<void> {
  await app.register(swagger, {
    hideUntagged: true,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Kaomon',
        version: VERSION,
        description:
          'Self-hosted face recognition. Every error is `{statusCode, code, error, message, details?}` with a stable ' +
          '`code`; docs/api.md lists them.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      // Relative: whatever address, proxy or port a reader came by.
      servers: [{ url: '/' }],
      tags: TAGS.map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          key: { type: 'apiKey', in: 'header', name: 'x-api-key' },
          bearer: { type: 'http', scheme: 'bearer' },
        },
      },
      security: [{ key: [] }, { bearer: [] }],
    },
    transform: ({ schema, url, route }) =>
      route.config?.access === 'public' ? { schema: { ...schema, security: [] }, url } : { schema, url },
  });
  // Whatever a method may bring as a body is parsed before the handler: a DELETE's, too.
  app.addHook('onRoute', (route) => {
    const response = route.schema?.response as Record<string, TSchema | undefined> | undefined;
    if (!response?.[500] || [route.method].flat().every((method) => READS.has(method))) return;
    for (const status of [400, 408, 413, 415]) response[status] ??= response[500];
  });
  // CompreFace's own documents describe its surface; here it is listed.
  app.addHook('onRoute', (route) => {
    if (!COMPREFACE_ADDRESS.test(route.url) || !route.schema) return;
    const name = `${[route.method].flat().join()} ${route.url.slice('/api/v1'.length)}`;
    route.schema.summary ??= `As CompreFace: ${name}`;
    route.schema.tags ??= ['compreface'];
  });
}
