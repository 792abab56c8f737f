import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onceEnded } from '../../platform/child-end.js';
import { quietMessage } from '../../platform/quiet-error.js';
import type { FromWriter, ToWriter } from './messages.js';
import type { SnapshotReport } from './writer.js';

const PROCESS = fileURLToPath(new URL('./process.js', import.meta.url));
/** How long a writer may take to end when it is asked to, milliseconds. */
const FAREWELL = 3000;
/** So much of its standard error is kept, characters. */
const STDERR_KEPT = 2000;

/** A writer that runs. */
export interface WriterProcess {
  /** Rejects with why there is no snapshot. */
  done: Promise<SnapshotReport>;
  /** Ends it; resolves when it has ended. It leaves nothing behind, unless it has to be killed. */
  stop(): Promise<void>;
}

/** Starts a snapshot writer. @param heard gets everything that it says before it is done */
export function startWriter(
  message: ToWriter,
  heard: (message: Exclude<FromWriter, { type: 'done' | 'failed' }>) => void,
  launch: () => ChildProcess = forkWriter,
): WriterProcess {
  const child = launch();
  let stderr = '';
  let outcome: Extract<FromWriter, { type: 'done' | 'failed' }> | undefined;
  child.stderr
    ?.setEncoding('utf8')
    .on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_KEPT)));
  child.on('message', (said: FromWriter) => {
    if (said.type === 'done' || said.type === 'failed') outcome = said;
    else heard(said);
  });
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => {
      // A process that did not start does not exit.
      if (child.pid === undefined) resolve(quietMessage(error));
    });
    onceEnded(child, (how) => resolve(`${how} ${stderr}`.trim()));
  });
  const done = ended.then((cause) => {
    if (outcome?.type === 'done') return outcome.report;
    throw new Error(outcome?.reason ?? `The snapshot writer ended (${cause}).`);
  });
  // Whoever waits for it is told; nobody has to.
  done.catch(() => undefined);
  if (child.connected) child.send(message, () => undefined);
  return {
    done,
    async stop() {
      const timer = setTimeout(() => child.kill('SIGKILL'), FAREWELL);
      if (child.connected) child.disconnect();
      await ended;
      clearTimeout(timer);
    },
  };
}

function forkWriter(): ChildProcess {
  return fork(PROCESS, [], {
    execArgv: [],
    serialization: 'json',
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
}
