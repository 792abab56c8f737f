/** Looks after test files that are being run. Node's own modules only. */
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { createFamily, endProcesses } from './processes.mjs';

/** @typedef {import('./processes.mjs').Process} Process */
/** @typedef {import('./processes.mjs').Relative} Relative */

/**
 * Seconds.
 * @typedef {object} Limits
 * @property {number} run of the whole, from the start of this process
 * @property {number} file of each file
 * @property {number} grace what a file started may outlive it by so much
 */

/**
 * A file that is being run; times as `performance.now()` has them.
 * @typedef {object} Running
 * @property {number} began
 * @property {Process} [child] its process, once it was seen
 * @property {number | undefined} [ended] since when it is missed
 */

/** Between two looks at the processes, milliseconds. */
const EVERY = 1000;

/**
 * Names and ends what is over its time, and nothing but what this process started.
 * @param {{limits: Limits, from: string, onOutlived: (file: string) => void}} options from: files are named from here;
 *   onOutlived: told of a file that ended while what it started held on to its output, for which Node would wait
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
      // It is there from the moment that the file is begun; one that ends at once may never have been seen.
      state.ended = isThere ? undefined : (state.ended ?? performance.now());
      if (state.ended !== undefined && since(state.ended) > limits.grace) {
        running.delete(file);
        const held = its.length > 0 ? its : family.look({ thorough: true }).filter(({ branch }) => !branch);
        await end(
          `\n${nameOf(file)} has ended, but what it started holds on to its output; ended now:`,
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
    /** What the set-up keeps running ends with this process. */
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

    /** Looks no more. */
    async close() {
      clearInterval(timer);
      await looking;
    },

    /**
     * Names and ends all that is under way.
     * @param {string} title
     * @returns {Promise<number>} how many files that were
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
      if (others.length > 0) console.log('  processes of none of these');
      print(others);
      // What is ended may just have started another one.
      for (let left = relatives; left.length > 0; left = family.look({ thorough: true }))
        await endProcesses(left.map((relative) => relative.process));
      return running.size;
    },

    /** Ends what outlived the run: it keeps nobody waiting, but it is not left to whoever comes next. */
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
