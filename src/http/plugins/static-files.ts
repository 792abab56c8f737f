import path from 'node:path';
import fastifyStatic, { type FastifyStaticOptions } from '@fastify/static';
import { PROJECT_ROOT } from '../../platform/root.js';
import type { App } from '../app-type.js';

const PUBLIC = path.join(PROJECT_ROOT, 'public');
/** esbuild puts a hash of the content into the names of shared chunks. */
const NEVER_CHANGES = /[\\/]assets[\\/]chunk-[A-Z0-9]{8}\.js$/;

/**
 * The pages' files, for everybody: what they show comes from the API. Browsers ask each time whether a file has
 * changed (by its ETag) unless its name says that it never does.
 */
export async function registerStaticFiles(app: App): Promise<void> {
  const options: FastifyStaticOptions = {
    root: PUBLIC,
    index: false,
    cacheControl: false,
    setHeaders(reply, file) {
      const forever = 'public, max-age=31536000, immutable';
      reply.header('cache-control', NEVER_CHANGES.test(file) ? forever : 'no-cache');
    },
  };
  // Once for `reply.sendFile`, and once for the files themselves, in a scope whose routes are made public.
  await app.register(fastifyStatic, { ...options, serve: false });
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'public' };
    });
    await scope.register(fastifyStatic, { ...options, decorateReply: false });
  });
}
