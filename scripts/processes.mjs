/** Finds the processes that this one started. Node's own modules only. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * @typedef {object} Process
 * @property {number} pid
 * @property {number} parent
 * @property {string} started tells it from a later process with the same pid
 * @property {string} command with its arguments
 */

/**
 * A process that this one started, and the child of this one that it descends from, where that is known.
 * @typedef {{process: Process, branch: Process | undefined}} Relative
 */

/** How long a process may take to end after SIGTERM, milliseconds. */
const FAREWELL = 2000;

/** Reads a file of /proc; a process that has just ended has none. @param {string} file */
function readOrNothing(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** @param {string} pid @returns {Process | undefined} */
function readProcess(pid) {
  const text = readOrNothing(`/proc/${pid}/stat`);
  // "pid (name) state parent ...": the name may contain anything, even a bracket.
  const [state = 'X', parent = '', ...others] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // Ended, but its parent has not noticed yet.
  if (state === 'Z' || state === 'X') return undefined;
  const command = readOrNothing(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
  const name = text.slice(text.indexOf('('), text.lastIndexOf(')') + 1);
  return { pid: Number(pid), parent: Number(parent), started: others[17] ?? '', command: command || name };
}

/** Every process that this user may see. @returns {Process[]} */
export function listProcesses() {
  if (existsSync('/proc/self/stat')) {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map(readProcess).filter((process) => process !== undefined);
  }
  const columns = ['-o', 'pid=', '-o', 'ppid=', '-o', 'lstart=', '-o', 'command='];
  const { stdout } = spawnSync('ps', ['-A', ...columns], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').flatMap((line) => {
    const [, pid, parent, started, command] = /^ *(\d+) +(\d+) +(\S.{23}) (.*)$/.exec(line) ?? [];
    return command ? { pid: Number(pid), parent: Number(parent), started: started ?? '', command } : [];
  });
}

/** @param {Process} process */
const keyOf = ({ pid, started }) => `${pid} ${started}`;

/**
 * Follows what this process starts, and what that starts. A process whose parent ends becomes another's child: it is
 * recognised if it was seen before, or (on Linux) by a mark in its inherited environment.
 * @param {string} mark the name of a variable that nothing else sets
 */
export function createFamily(mark) {
  process.env[mark] = '1';
  /** Key -> the child of ours that it descends from. @type {Map<string, Process>} */
  const branches = new Map();
  /** Running before anything was started that is to be ended. */
  const there = listProcesses();
  const spared = new Set(there.map(keyOf));

  /** @param {Process} process */
  const isMarked = ({ pid }) =>
    readOrNothing(`/proc/${pid}/environ`)
      .split('\0')
      .some((pair) => pair.startsWith(`${mark}=`));

  return {
    /** Whether this system lists processes. */
    isTold: there.some(({ pid }) => pid === process.pid),

    /** Leaves alone whatever is running now. */
    spare() {
      for (const one of listProcesses()) spared.add(keyOf(one));
    },

    /**
     * Those that are running.
     * @param {{thorough?: boolean}} [options] thorough: also those never seen below a child of ours
     * @returns {Relative[]}
     */
    look({ thorough = false } = {}) {
      const all = listProcesses().filter((one) => one.pid !== process.pid && !spared.has(keyOf(one)));
      const byPid = new Map(all.map((one) => [one.pid, one]));
      /** @param {Process} one @returns {Process | undefined} */
      const branchOf = (one) => {
        const known = branches.get(keyOf(one));
        if (known) return known;
        if (one.parent === process.pid) return one;
        const parent = byPid.get(one.parent);
        return parent && branchOf(parent);
      };
      return all.flatMap((one) => {
        const branch = branchOf(one);
        if (branch) branches.set(keyOf(one), branch);
        return branch || (thorough && isMarked(one)) ? { process: one, branch } : [];
      });
    },
  };
}

/**
 * Ends processes by SIGTERM, and those left a moment later by SIGKILL.
 * @param {readonly Process[]} processes
 */
export async function endProcesses(processes) {
  const still = () => {
    const there = new Set(listProcesses().map(keyOf));
    return processes.filter((one) => there.has(keyOf(one)));
  };
  const end = Date.now() + FAREWELL;
  send(still(), 'SIGTERM');
  while (still().length > 0 && Date.now() < end) await sleep(50);
  send(still(), 'SIGKILL');
}

/** @param {readonly Process[]} processes @param {NodeJS.Signals} signal */
function send(processes, signal) {
  for (const { pid } of processes) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}
