#!/usr/bin/env node
/** `npm start`: sets up what is missing, then becomes the server. */
import { setUp } from './setup.mjs';
import { PROJECT_ROOT, SetupError } from './support.mjs';

try {
  await setUp();
  process.setSourceMapsEnabled(true);
  await import(new URL('dist/src/server.js', `file://${PROJECT_ROOT}/`).href);
} catch (error) {
  console.error(error instanceof SetupError ? `kaomon: ${error.message}` : error);
  // Not just by exitCode: the channel to a parent (pm2) would keep the process alive.
  process.stderr.write('', () => process.exit(1));
}
