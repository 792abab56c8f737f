#!/usr/bin/env node
/**
 * `node scripts/accuracy-doc.mjs [WORD]`: runs the commands of docs/accuracy.md whose figures are marked (all, or those
 * whose mark contains the word), and puts their output into the document; that of `npm run accuracy -- ... --curve`
 * goes to src/models/packs/curves.ts. The pictures must be where the commands say.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import prettier from 'prettier';
import { PROJECT_ROOT } from './support.mjs';

const DOCUMENT = path.join(PROJECT_ROOT, 'docs', 'accuracy.md');
const CURVES = path.join(PROJECT_ROOT, 'src', 'models', 'packs', 'curves.ts');
/** A command in a block of its own, and the marks below it that enclose its figures. */
const MARKED =
  /(^```sh\n)(npm run accuracy -- [^`]*?)(\n```\n\n<!-- printed: ([\w-]+) -->\n)[^]*?(<!-- end of \4 -->)/gm;

/**
 * @param {string} command as written in the document
 * @returns {string} what it wrote on standard output
 */
function run(command) {
  console.error(command);
  const quiet = command.replace('npm run', 'npm run -s').replaceAll('\\\n', ' ');
  const { status, stdout } = spawnSync(quiet, {
    shell: true,
    cwd: PROJECT_ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`It ended with status ${status}: the document stays as it is.`);
  return stdout.trim();
}

/**
 * @param {string} file
 * @param {string} text
 */
async function write(file, text) {
  const options = await prettier.resolveConfig(file);
  writeFileSync(file, await prettier.format(text, { ...options, filepath: file }));
}

/** @param {string} printed curves by the names of their packs, as JSON */
function toModule(printed) {
  // A point a line.
  const json = printed.replace(/\[\s+([\d.e-]+),\s+([\d.e-]+)\s+\]/g, '[$1, $2]');
  return `import type { Curve } from '../types.js';

/** The measured curves of our packs, by name. Written by \`node scripts/accuracy-doc.mjs curves\`: docs/accuracy.md. */
export const CURVES: Readonly<Record<string, Curve>> = ${json};
`;
}

const [word = ''] = process.argv.slice(2);
let text = readFileSync(DOCUMENT, 'utf8');
for (const [whole, fence, command, between, name, end] of text.matchAll(MARKED)) {
  if (!name.includes(word)) continue;
  const printed = run(command);
  if (command.includes('--curve')) await write(CURVES, toModule(printed));
  else text = text.replace(whole, () => `${fence}${command}${between}\n${printed}\n\n${end}`);
}
await write(DOCUMENT, text);
