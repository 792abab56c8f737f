#!/usr/bin/env node
/**
 * `npm test`: installs what is missing, builds, runs every test this machine can run, and names what was left out
 * and why. `npm test -- gallery http/health` runs only the test files whose path holds one of the words.
 */
import { once } from 'node:events';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import path from 'node:path';
import { filesBelow, PROJECT_ROOT, SetupError } from './support.mjs';

const words = process.argv.slice(2).filter((word) => !word.startsWith('-'));

/** @returns {Promise<number>} exit status */
async function main() {
  const { setUp } = await import('./setup.mjs');
  await setUp({ forTests: true, testPrograms: words.length === 0 });
  const files = filesBelow('dist/test')
    .filter((file) => file.endsWith('.test.js'))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .sort();
  if (files.length === 0) throw new SetupError(`No test file holds ${words.join(' or ')} in its path.`);

  /** @type {{name: string, file: string, reason: string}[]} */
  const leftOut = [];
  const counts = { passed: 0, failed: 0, skipped: 0 };
  process.chdir(PROJECT_ROOT);
  process.env.NODE_OPTIONS = '--enable-source-maps';
  const stream = run({ files, concurrency: 2, timeout: 10 * 60_000 });
  stream.on('test:pass', (event) => {
    const skipped = event.skip !== undefined && event.skip !== false;
    // A suite is not a test: only what is inside it counts, unless the whole suite was left out.
    if (skipped) counts.skipped += 1;
    else if (event.details.type !== 'suite') counts.passed += 1;
    if (!skipped) return;
    const reason = typeof event.skip === 'string' ? event.skip : 'no reason given';
    const file = event.file ? path.relative(path.join(PROJECT_ROOT, 'dist'), event.file) : '';
    // A skipped suite reports itself; its inner tests never run, so each row is one thing left out.
    leftOut.push({ name: event.name, file, reason });
  });
  stream.on('test:fail', (event) => {
    if (event.details.type !== 'suite') counts.failed += 1;
  });
  const report = stream.compose(new spec());
  report.pipe(process.stdout, { end: false });
  await once(report, 'end');
  if (leftOut.length > 0) {
    console.log(`\nLeft out (${leftOut.length}):`);
    for (const { name, file, reason } of leftOut) console.log(`  ${file}: ${name} — ${reason}`);
  }
  console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof SetupError ? `kaomon: ${error.message}` : error);
  process.exitCode = 1;
}
