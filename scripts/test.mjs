#!/usr/bin/env node
/**
 * `npm test`: installs what is missing, builds, runs every test this machine can run, and names what was left out and
 * why. `npm test -- gallery http/health` runs only the test files whose path contains one of the words.
 * `TEST_RUN_LIMIT` and `TEST_FILE_LIMIT` (seconds; 3,600 and 600): what takes longer is ended and named with its
 * processes.
 */
import path from 'node:path';
import { runTests } from './run-tests.mjs';
import { filesBelow, PROJECT_ROOT, SetupError } from './support.mjs';

const BUILT = path.join(PROJECT_ROOT, 'dist');
const words = process.argv.slice(2).filter((word) => !word.startsWith('-'));

async function prepare() {
  const { setUp } = await import('./setup.mjs');
  await setUp({ forTests: true, testPrograms: words.length === 0 });
  const files = filesBelow('dist/test')
    .filter((file) => file.endsWith('.test.js'))
    // Not the whole path: the checkout's folder may contain the word.
    .filter((file) => words.length === 0 || words.some((word) => path.relative(BUILT, file).includes(word)))
    .sort();
  if (files.length === 0) throw new SetupError(`No test file has ${words.join(' or ')} in its path.`);
  process.chdir(PROJECT_ROOT);
  process.env.NODE_OPTIONS = '--enable-source-maps';
  return files;
}

/** @param {string} name @param {number} usual seconds */
function limitOf(name, usual) {
  const seconds = Number(process.env[name] ?? usual);
  if (!(seconds > 0)) throw new SetupError(`${name} must be a number of seconds above 0.`);
  return seconds;
}

try {
  const limits = {
    run: limitOf('TEST_RUN_LIMIT', 3600),
    file: limitOf('TEST_FILE_LIMIT', 600),
    grace: 10,
  };
  const status = await runTests({ prepare, limits, from: path.join(PROJECT_ROOT, 'dist') });
  // Explicitly, because something that a test left open would keep the process alive.
  process.exit(status);
} catch (error) {
  console.error(error instanceof SetupError ? `kaomon: ${error.message}` : error);
  process.exit(1);
}
