import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./run-command.js', import.meta.url));

/** A command of `scripts/kaomon.mjs` in a process of its own. */
export interface RunningCommand {
  child: ChildProcess;
  /** What was written on both streams so far. */
  text: () => string;
  ended: Promise<{ code: number | null; signal: string | null }>;
}

/** @param env settings; nothing else of this process's environment reaches it */
export function startCommand(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): RunningCommand {
  const child = spawn(process.execPath, [PROGRAM, command, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  }
  const ended = once(child, 'close').then(([code, signal]: (number | string | null)[]) => ({
    code: code as number | null,
    signal: signal as string | null,
  }));
  return { child, text: () => text, ended };
}

/** The command from its begin to its end. */
export async function runCommand(...how: Parameters<typeof startCommand>) {
  const run = startCommand(...how);
  const { code } = await run.ended;
  return { code, text: run.text() };
}
