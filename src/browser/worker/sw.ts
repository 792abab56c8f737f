/**
 * The service worker. It keeps one page, which says that the server cannot be reached, and what that page needs; nothing
 * else, and never an answer of the API or a picture. While the server answers, everything comes from the server: the
 * worker touches only the opening of a page, and its own few files when they cannot be fetched.
 */

/** Written in by scripts/build.mjs: the page's files, and a name that changes with any of them. */
declare const OFFLINE: { name: string; files: readonly string[] };

// The types of service workers and those of pages exclude each other; this is what is used here.
interface Extendable extends Event {
  waitUntil: (work: Promise<unknown>) => void;
}
interface Fetch extends Extendable {
  request: Request;
  preloadResponse: Promise<Response | undefined>;
  respondWith: (answer: Promise<Response>) => void;
}
interface Install extends Extendable {
  /** Where the browser has it: addresses for which the worker is not even started. */
  addRoutes?: (routes: { condition: { urlPattern: string }; source: 'network' }[]) => Promise<void>;
}
interface OfflineWorker {
  addEventListener: ((type: 'install', run: (event: Install) => void) => void) &
    ((type: 'activate', run: (event: Extendable) => void) => void) &
    ((type: 'fetch', run: (event: Fetch) => void) => void);
  skipWaiting: () => Promise<void>;
  registration: { navigationPreload?: { enable: () => Promise<void> } };
}
const worker = self as unknown as OfflineWorker;

const PAGE = '/offline';
/** No page stands there: uploads, downloads, streams. */
const NO_PAGES = ['/api/', '/docs/', '/metrics'];

async function keep(): Promise<void> {
  const cache = await caches.open(OFFLINE.name);
  // From the server, in the language of now: not what the browser may have kept.
  await cache.addAll([PAGE, ...OFFLINE.files].map((file) => new Request(file, { cache: 'reload' })));
  await worker.skipWaiting();
}

async function takeOver(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== OFFLINE.name).map((name) => caches.delete(name)));
  await worker.registration.navigationPreload?.enable();
}

async function kept(file: string): Promise<Response> {
  return (await (await caches.open(OFFLINE.name)).match(file)) ?? Response.error();
}

/** A browser that knows only an older form of it, or none, goes without. */
async function leaveAlone(event: Install): Promise<void> {
  try {
    await event.addRoutes?.(
      NO_PAGES.map((beginning) => ({ condition: { urlPattern: `${beginning}*` }, source: 'network' })),
    );
  } catch {
    // The worker passes them on itself.
  }
}

worker.addEventListener('install', (event) => {
  event.waitUntil(leaveAlone(event));
  event.waitUntil(keep());
});
worker.addEventListener('activate', (event) => event.waitUntil(takeOver()));
worker.addEventListener('fetch', (event) => {
  const { request, preloadResponse } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== location.origin) return;
  if (NO_PAGES.some((beginning) => pathname.startsWith(beginning))) return;
  if (request.mode === 'navigate') {
    const asked = preloadResponse.then((answer) => answer ?? fetch(request));
    event.respondWith(asked.catch(() => kept(PAGE)));
  } else if (OFFLINE.files.includes(pathname)) {
    event.respondWith(fetch(request).catch(() => kept(pathname)));
  }
});
