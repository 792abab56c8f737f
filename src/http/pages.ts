import type { App } from './app-type.js';

/** The file of each page. */
const PAGES = {
  '/': 'index.html',
  '/add': 'add.html',
  '/people': 'people.html',
  '/status': 'status.html',
  '/keys': 'keys.html',
  '/signin': 'signin.html',
};

/**
 * The pages under their addresses; everything else in `public/` is served under its own name. They need no key: what
 * they show comes from the API, whose first 401 sends a visitor to `/signin`.
 */
export function pageRoutes(app: App): void {
  for (const [address, file] of Object.entries(PAGES)) {
    app.get(address, { config: { access: 'public' } }, (_request, reply) => reply.sendFile(file));
  }
}
