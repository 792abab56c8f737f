#!/usr/bin/env node
/** `kaomon COMMAND ...`: builds what is stale, then runs the command's module in dist/src/cli/. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { setUp } from './setup.mjs';
import { PROJECT_ROOT, SetupError } from './support.mjs';

/** @returns {Promise<void>} */
async function main() {
  const [command, ...words] = process.argv.slice(2);
  await setUp();
  if (command === 'start') return void (await import('./start.mjs'));
  const folder = path.join(PROJECT_ROOT, 'dist', 'src', 'cli');
  const file = path.join(folder, `${command}.js`);
  if (command === undefined || !/^[a-z]+$/.test(command) || !existsSync(file)) {
    const known = readdirSync(folder).filter((name) => name.endsWith('.js'));
    const names = ['start', ...known.map((name) => path.basename(name, '.js'))].sort().join(', ');
    const wrong = command ? `there is no command "${command}"; the commands are:` : 'name a command:';
    throw new SetupError(`${wrong} ${names}.`);
  }
  process.setSourceMapsEnabled(true);
  const { main: run } = await import(pathToFileURL(file).href);
  process.exitCode = await run(words);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof SetupError ? `kaomon: ${error.message}` : error);
  process.exitCode = 1;
}
