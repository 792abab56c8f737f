import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { settingsTable } from '../../src/cli/settings.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';

it('docs/settings.md has every setting, its default and its bounds as they are', async () => {
  const text = await readFile(path.join(PROJECT_ROOT, 'docs', 'settings.md'), 'utf8');
  assert.ok(
    text.includes(settingsTable()),
    'write the table anew: node scripts/kaomon.mjs settings, into docs/settings.md',
  );
});

it('prints no default that is another on every machine', () => {
  const rows = settingsTable().split('\n');
  const byMachine = rows.filter((row) => row.includes('Default: the cores'));
  assert.ok(byMachine.length > 1);
  for (const row of byMachine) assert.match(row, /^\| `[A-Z_]+` \| {2}\|/, row);
});
