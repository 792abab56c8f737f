/** Watches running test files. Node's own modules only. */
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { createFamily, endProcesses } from './processes.mjs';

/** @typedef {import('./processes.mjs').Process} Process */
/** @typedef {import('./processes.mjs').Relative} Relative */

/**
 * Seconds.
 * @typedef {object} Limits
 * @property {number} run for everything, from the start of this process
 * @property {number} file for each file
 * @property {number} grace by how much a process may outlive the file that started it
 */

/**
 * A running file; times are those of `performance.now()`.
 * @typedef {object} Running
 * @property {number} began
 * @property {Process} [child] its process, once it was seen
 * @property {number | undefined} [ended] since when its process is gone
 */

/** Between two checks of the processes, milliseconds. */
const EVERY = 1000;

/**
 * Names and ends what exceeds its time, but only processes that this one started.
 * @param {{limits: Limits, from: string, onOutlived: (file: string) => void}} options from: the folder that files are
 *   named from; onOutlived: called with a file that ended while a process that it started still holds its output, for
 *   which Node would wait
 */
export function createWatch({ limits, from, onOutlived }) {
  const family = createFamily(`KAOMON_TESTS_${process.pid}_${Date.now()}`);
  /** @type {Map<string, Running>} */
  const running = new Map();
  let looking = Promise.resolve();
  const look = () => {
    looking = looking.then(lookAfter);
  };
  const timer = setInterval(look, EVERY);

  const nameOf = (/** @type {string} */ file) => path.relative(from, file);
  const since = (/** @type {number} */ time) => (performance.now() - time) / 1000;

  async function lookAfter() {
    if (!family.isTold) return;
    const relatives = family.look();
    for (const [file, state] of running) {
      state.child ??= relatives.find(
        ({ process: one, branch }) => branch === one && isRunOf(one, file),
      )?.process;
      const its = below(relatives, state.child);
      const isThere = its.some(({ process: one, branch }) => one.pid === branch?.pid);
      // It exists from the moment that the file begins; one that ends at once may never be seen.
      state.ended = isThere ? undefined : (state.ended ?? performance.now());
      if (state.ended !== undefined && since(state.ended) > limits.grace) {
        running.delete(file);
        const held = its.length > 0 ? its : family.look({ thorough: true }).filter(({ branch }) => !branch);
        await end(
          `\n${nameOf(file)} has ended, but a process that it started still holds its output; ended now:`,
          held,
        );
        onOutlived(file);
      } else if (isThere && since(state.began) > limits.file) {
        running.delete(file);
        await end(`\n${nameOf(file)} is not done after ${limits.file} s; ended now:`, its);
      }
    }
  }

  /** @param {string} title @param {readonly Relative[]} relatives */
  async function end(title, relatives) {
    console.log(title);
    print(relatives);
    await endProcesses(relatives.map((relative) => relative.process));
  }

  return {
    nameOf,
    /** Leaves alone what the set-up has started: it ends with this process. */
    spare: () => family.spare(),

    /** @param {string} file */
    begin(file) {
      running.set(file, { began: performance.now() });
      setTimeout(look, 100);
    },

    /** @param {string} file */
    done(file) {
      running.delete(file);
    },

    /** Stops watching. */
    async close() {
      clearInterval(timer);
      await looking;
    },

    /**
     * Names and ends everything that is running.
     * @param {string} title
     * @returns {Promise<number>} how many files were running
     */
    async endAll(title) {
      clearInterval(timer);
      const relatives = family.look({ thorough: true });
      console.log(`\n${title}`);
      for (const [file, { began, child }] of running) {
        console.log(`  ${nameOf(file)}, begun ${since(began).toFixed(0)} s ago`);
        print(below(relatives, child));
      }
      const children = new Set([...running.values()].map(({ child }) => child?.pid));
      const others = relatives.filter(({ branch }) => !children.has(branch?.pid));
      if (others.length > 0) console.log('  processes of none of these files');
      print(others);
      // An ended process may just have started another.
      for (let left = relatives; left.length > 0; left = family.look({ thorough: true }))
        await endProcesses(left.map((relative) => relative.process));
      return running.size;
    },

    /** Ends what outlived the run: nothing waits for it, but it must not be left running. */
    async endLeft() {
      const begun = performance.now();
      let left = family.look({ thorough: true });
      while (left.length > 0 && since(begun) < limits.grace) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        left = family.look({ thorough: true });
      }
      if (left.length > 0) await end('\nLeft behind by the tests, and ended now:', left);
    },
  };
}

/** @param {Process} one @param {string} file */
function isRunOf(one, file) {
  return one.command.split(' ').includes(file);
}

/** @param {readonly Relative[]} relatives @param {Process | undefined} child of this process */
function below(relatives, child) {
  return relatives.filter(
    ({ branch }) => branch && branch.pid === child?.pid && branch.started === child.started,
  );
}

/** @param {readonly Relative[]} relatives */
function print(relatives) {
  for (const { process: one } of relatives)
    console.log(`    process ${one.pid}: ${one.command.slice(0, 300)}`);
}
