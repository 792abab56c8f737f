import type { App } from './app-type.js';

/** Address and file of each page. */
const PAGES = {
  '/': 'index.html',
  '/add': 'add.html',
  '/people': 'people.html',
  '/status': 'status.html',
  '/signin': 'signin.html',
};

/**
 * The pages under their addresses; everything else in `public/` is served under its own name. They hold nothing that
 * needs a key: what they show they ask for, and who is not signed in is sent to `/signin` by the first 401.
 */
export function pageRoutes(app: App): void {
  for (const [address, file] of Object.entries(PAGES)) {
    app.get(address, { config: { access: 'public' } }, (_request, reply) => reply.sendFile(file));
  }
}
