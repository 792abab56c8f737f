import assert from 'node:assert/strict';
import { it } from 'node:test';
import { runKaomon } from '../support/command.js';
import { temporaryFolder } from '../support/temporary.js';

it('kaomon keys says what lies behind a file that it cannot use', async (t) => {
  const { code, text } = await runKaomon(['keys', 'add', 'office', '--role', 'admin'], {
    KEYS_FILE: await temporaryFolder(t),
  });
  assert.equal(code, 1);
  assert.match(text, /^kaomon: .+ \(it is a folder\)$/m);
});
