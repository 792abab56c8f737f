import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('./run-command.js', import.meta.url));

/**
 * Runs a command of `kaomon` as a child process to its end.
 * @param env settings; folders of the test's own among them
 * @returns its exit status and what it wrote on both streams
 */
export async function runKaomon(
  words: readonly string[],
  env: Record<string, string>,
): Promise<{ code: number; text: string }> {
  const child = spawn(process.execPath, [SCRIPT, ...words], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, text };
}
