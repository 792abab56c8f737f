import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { loadConfig } from '../../src/settings/config.js';
import { type Called, calledBy, commandsInText, commandsOf, DOCUMENTS } from '../support/documents.js';
import { filesBelow } from '../support/files-below.js';

const tests = (await filesBelow(path.join(PROJECT_ROOT, 'test'))).map((file) => `test/${file}`);

/** Runs a command of `kaomon` as far as its options go. */
async function askForHelp([command, ...words]: string[]): Promise<void> {
  const module = new URL(`../../src/cli/${command}.js`, import.meta.url);
  assert.ok(existsSync(module), `there is a command "${command}"`);
  const { main } = (await import(module.href)) as { main: (words: string[]) => Promise<number> };
  const status = await main([...words, '--help']);
  assert.equal(status, 0, `kaomon ${command} takes ${words.join(' ')}`);
}

async function check({ settings, script, words }: Called): Promise<void> {
  // Those of the suite itself are no settings.
  const names = Object.keys(settings).filter((name) => !/^(CHAOS|TEST_)/.test(name));
  const known = Object.keys(loadConfig({}));
  for (const name of names) assert.ok(known.includes(name), `${name} is a setting`);
  if (!Object.values(settings).includes('NAME')) loadConfig(settings);
  // What is built lies as its source does.
  const source = script.replace(/^dist\/(.*)\.js$/, '$1.ts');
  assert.ok(existsSync(path.join(PROJECT_ROOT, source)), `${source} is there`);
  if (script === 'scripts/kaomon.mjs') await askForHelp(words);
  if (script !== 'scripts/test.mjs') return;
  for (const word of words)
    assert.ok(
      tests.some((file) => file.includes(word)),
      `a test has "${word}" in its path`,
    );
}

for (const document of DOCUMENTS) {
  it(`${document.name}: every command is there and knows its options`, async (t) => {
    t.mock.method(console, 'log', () => undefined);
    const wrong: string[] = [];
    const lines = document.blocks
      .filter(({ language }) => language === 'sh')
      .flatMap((block) => commandsOf(block))
      // Of a line of several programs it is for examples.test.ts to say what becomes.
      .filter((line) => !/[;&|]/.test(line));
    for (const line of new Set([...lines, ...commandsInText(document)])) {
      try {
        const called = calledBy(line);
        if (called) await check(called);
      } catch (error) {
        wrong.push(`${line}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    assert.deepEqual(wrong, []);
  });
}
