import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { loadConfig } from '../../src/settings/config.js';
import { ERROR_CODES, KaomonError } from '../../src/platform/errors.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';

const read = (name: string) => readFile(path.join(PROJECT_ROOT, 'docs', name), 'utf8');

it('docs/api.md lists every error code with its status', async () => {
  const listed = [...(await read('api.md')).matchAll(/^\| `([A-Z_]+)` *\| (\d{3}) *\|/gm)];
  assert.deepEqual(
    listed.map(([, code, status]) => `${code} ${status}`).sort(),
    ERROR_CODES.map((code) => `${code} ${new KaomonError(code, '').statusCode}`).sort(),
  );
});

it('docs/quality.md names the defaults in force', async () => {
  const config = loadConfig({}) as unknown as Record<string, unknown>;
  const listed = [...(await read('quality.md')).matchAll(/`(M[A-Z_]+)`, (\d+) *\|/g)];
  assert.deepEqual(listed.map(([, name]) => name).sort(), [
    'MAX_PITCH',
    'MAX_ROLL',
    'MAX_YAW',
    'MIN_ENROL_SIZE',
    'MIN_SHARPNESS',
  ]);
  for (const [, name, value] of listed) assert.equal(String(config[name]), value, name);
});
