import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('./run-command.js', import.meta.url));

/** A command of `kaomon` in a process of its own. */
export interface RunningCommand {
  child: ChildProcess;
  /** What was written on both streams so far. */
  text: () => string;
  ended: Promise<{ code: number | null; signal: string | null }>;
}

/**
 * Starts a command of `kaomon`.
 * @param env settings, folders of the test's own among them; nothing else of this process's environment reaches it
 */
export function startKaomon(words: readonly string[], env: Readonly<Record<string, string>>): RunningCommand {
  const child = spawn(process.execPath, [SCRIPT, ...words], {
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

/** Runs one to its end. @returns its exit status and what it wrote on both streams */
export async function runKaomon(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; text: string }> {
  const { ended, text } = startKaomon(words, env);
  const { code } = await ended;
  return { code, text: text() };
}
