import path from 'node:path';
import fastifyStatic, { type FastifyStaticOptions } from '@fastify/static';
import { PROJECT_ROOT } from '../../platform/root.js';
import type { App } from '../app-type.js';

const PUBLIC = path.join(PROJECT_ROOT, 'public');
/** The build puts a hash of the content into every name here. */
const ASSETS = path.join(PUBLIC, 'assets') + path.sep;

/**
 * The pages' files, for everybody: what they show comes from the API. A browser that takes brotli or gzip gets what the
 * build compressed (scripts/pages.mjs), each with an ETag of its own. Browsers ask each time whether a file has changed
 * unless its name says that it never does.
 *
 * Only files are compressed, never what the API answers: beside a secret (a session's token, a name) the length of a
 * compressed answer would tell of it whoever can have a word of his own put into the same answer (BREACH).
 */
export async function registerStaticFiles(app: App): Promise<void> {
  const options: FastifyStaticOptions = {
    root: PUBLIC,
    index: false,
    cacheControl: false,
    preCompressed: true,
    setHeaders(reply, file) {
      const forever = 'public, max-age=31536000, immutable';
      // What is not there today may be there tomorrow.
      const otherwise = reply.statusCode === 404 ? 'no-store' : 'no-cache';
      reply.header('cache-control', file.startsWith(ASSETS) ? forever : otherwise);
    },
  };
  // Once for `reply.sendFile`, and once for the files themselves, in a scope whose routes are made public.
  await app.register(fastifyStatic, { ...options, serve: false });
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'public' };
    });
    // A route for each file: one for all of them would pass what is not there on to the 404 page as a second request, whose
    // hooks run, wait and count once more.
    await scope.register(fastifyStatic, { ...options, decorateReply: false, wildcard: false });
  });
}
