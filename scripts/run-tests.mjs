/** Runs test files, two at a time and within time limits, and counts results. Node's own modules only. */
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { setTimeout as sleep } from 'node:timers/promises';
import { useTestFolder } from './test-folder.mjs';
import { createWatch } from './test-watch.mjs';

/** How long to wait for Node's reports when a run is stopped, milliseconds. */
const FLUSH = 5000;

/**
 * Always says how many tests passed and failed, even if the run exceeds its limit or is ended by a signal: then
 * unfinished files count as failed, and this process ends at once with status 1.
 * @param {{prepare: () => Promise<string[]>, limits: import('./test-watch.mjs').Limits, from: string}} options prepare:
 *   runs first, under the same limit, and returns the files; from: the folder that files are named from
 * @returns {Promise<number>} exit status; the caller must end this process, which something left open may keep alive
 */
export async function runTests({ prepare, limits, from }) {
  useTestFolder();
  const counts = { passed: 0, failed: 0, skipped: 0 };
  /** @type {{name: string, file: string, reason: string}[]} */
  const leftOut = [];
  /** @type {string[]} */
  const failures = [];
  const abort = new AbortController();
  let begun = false;
  /** @type {Promise<unknown>} */
  let reported = Promise.resolve();
  let stopped = false;
  let waiting = 0;

  /** @param {string} what */
  function fail(what) {
    counts.failed += 1;
    failures.push(what);
  }

  const watch = createWatch({
    limits,
    from,
    onOutlived: (file) => fail(`${watch.nameOf(file)}: a process that it started outlived it`),
  });

  /** @param {string} why */
  async function stop(why) {
    if (stopped) return;
    stopped = true;
    const ending = watch.endAll(`${why} ${begun ? 'Not' : 'The set-up is not'} done, and ended now:`);
    // Waiting files would begin as the others end.
    abort.abort();
    const files = await ending;
    // Node reports files in order: those after one that hung only now.
    await Promise.race([reported, sleep(FLUSH)]);
    if (waiting > 0) console.log(`${waiting} files were not begun.`);
    if (failures.length > 0) console.log(`Failed before: ${failures.join('; ')}`);
    counts.failed += Math.max(1, files);
    printCounts();
    process.exit(1);
  }

  const printCounts = () =>
    console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);

  const left = Math.max(0, limits.run * 1000 - performance.now());
  const limit = setTimeout(() => void stop(`The run is over its limit of ${limits.run} s.`), left);
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT', 'SIGHUP']))
    process.once(signal, () => void stop(`The run was ended by ${signal}.`));

  const files = await prepare();
  watch.spare();
  begun = true;
  waiting = files.length;
  // Node's own limit is for systems that do not list processes: it names nothing and ends less.
  const stream = run({
    files,
    concurrency: 2,
    signal: abort.signal,
    timeout: (limits.file + 2 * limits.grace) * 1000,
  });
  /** Node reports a file as a test with the file's name. */
  const isFile = (/** @type {{nesting: number, name: string}} */ { nesting, name }) =>
    nesting === 0 && files.includes(name);
  stream.on('test:dequeue', (event) => {
    if (!isFile(event) || stopped) return;
    waiting -= 1;
    watch.begin(event.name);
  });
  stream.on('test:complete', (event) => {
    if (isFile(event) && !stopped) watch.done(event.name);
  });
  stream.on('test:pass', (event) => {
    const skipped = event.skip !== undefined && event.skip !== false;
    // A suite is not a test: only what is inside it counts, unless the whole suite was left out.
    if (skipped) counts.skipped += 1;
    else if (event.details.type !== 'suite') counts.passed += 1;
    if (!skipped) return;
    const reason = typeof event.skip === 'string' ? event.skip : 'no reason given';
    // A skipped suite reports itself; its inner tests never run, so each row is one thing left out.
    leftOut.push({ name: event.name, file: event.file ? watch.nameOf(event.file) : '', reason });
  });
  stream.on('test:fail', (event) => {
    // Those that we end count as files.
    if (event.details.type === 'suite' || (stopped && isFile(event))) return;
    const file = watch.nameOf(event.file ?? event.name);
    fail(isFile(event) ? file : `${file}: ${event.name}`);
  });
  const report = stream.compose(new spec());
  report.on('data', (/** @type {string} */ text) => stopped || process.stdout.write(text));
  reported = once(report, 'end');
  await reported;
  // Then `stop` ends the process.
  if (stopped) await new Promise(() => undefined);
  clearTimeout(limit);
  await watch.close();
  await watch.endLeft();
  if (leftOut.length > 0) {
    console.log(`\nLeft out (${leftOut.length}):`);
    for (const { name, file, reason } of leftOut) console.log(`  ${file}: ${name} — ${reason}`);
  }
  printCounts();
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}
