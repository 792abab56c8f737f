import path from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { chooseLanguage } from '../browser/logic/language.js';
import { PROJECT_ROOT } from '../platform/root.js';
import { acceptedOf, addVary } from './accept.js';
import type { App } from './app-type.js';
import { answerNotFound } from './error-handler.js';
import { pathOf } from './paths.js';

/** Each page in each language, made by scripts/pages.mjs. */
const FOLDER = path.join(PROJECT_ROOT, 'dist', 'pages');

/** The file of each page. */
const PAGES = {
  '/': 'index.html',
  '/add': 'add.html',
  '/today': 'today.html',
  '/people': 'people.html',
  '/status': 'status.html',
  '/check': 'check.html',
  '/keys': 'keys.html',
  '/signin': 'signin.html',
  '/docs': 'docs.html',
  '/offline': 'offline.html',
  '/manifest.webmanifest': 'manifest.webmanifest',
};

/** Programs call these: whatever they say they take, they get JSON. */
const FOR_PROGRAMS = ['/api/', '/docs/', '/metrics/'];

/**
 * The pages under their addresses, in the visitor's language; everything in `public/` is served under its own name. They
 * need no key: what they show comes from the API, whose first 401 sends a visitor to `/signin`.
 */
export function pageRoutes(app: App): void {
  for (const [address, file] of Object.entries(PAGES)) {
    app.get(address, { config: { access: 'public' } }, (request, reply) => sendPage(request, reply, file));
  }
  // Whoever it is: what the page may show of them is asked of the API, so the address tells nobody who is enrolled.
  app.get<{ Params: { faceid: string } }>(
    '/people/:faceid',
    { config: { access: 'public' } },
    (request, reply) =>
      request.params.faceid === '' ? answerUnknown(request, reply) : sendPage(request, reply, 'person.html'),
  );
  // Here, because a worker may look after no more than what stands below its own address.
  app.get('/sw.js', { config: { access: 'public' } }, (_request, reply) => reply.sendFile('sw.js', FOLDER));
}

function sendPage(request: FastifyRequest, reply: FastifyReply, file: string, options = {}): FastifyReply {
  const { 'accept-language': wanted } = request.headers;
  const language = chooseLanguage(request.cookies['kaomon-language'] ?? null, acceptedOf(wanted));
  addVary(reply, 'accept-language', 'cookie');
  return reply.sendFile(`${language}/${file}`, FOLDER, options);
}

/** For requests that no route takes: a page for a visitor, the surface's own answer for a program. */
export function answerUnknown(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { method, url, headers } = request;
  const address = `${pathOf(url)}/`;
  if (FOR_PROGRAMS.some((beginning) => address.startsWith(beginning))) answerNotFound(request);
  addVary(reply, 'accept');
  const isVisitor = acceptedOf(headers.accept).includes('text/html');
  if (!isVisitor || (method !== 'GET' && method !== 'HEAD')) answerNotFound(request);
  // Nothing to ask again for, nor to get a part of.
  const whole = { acceptRanges: false, etag: false, lastModified: false };
  return sendPage(request, reply.code(404), '404.html', whole);
}
