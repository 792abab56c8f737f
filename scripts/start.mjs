#!/usr/bin/env node
/** `npm start`: sets up what is missing, then is the server. */
import { setUp } from './setup.mjs';
import { PROJECT_ROOT, SetupError } from './support.mjs';

try {
  await setUp();
  process.setSourceMapsEnabled(true);
  await import(new URL('dist/src/server.js', `file://${PROJECT_ROOT}/`).href);
} catch (error) {
  console.error(error instanceof SetupError ? `kaomon: ${error.message}` : error);
  // Not by its exit code alone: a parent's channel (pm2) would keep it.
  process.stderr.write('', () => process.exit(1));
}
