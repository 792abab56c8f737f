import assert from 'node:assert/strict';
import { it } from 'node:test';
import { onAbort, untilAborted } from '../../src/platform/abort.js';

it('an abort is heard once: later, of before, and not by who has stopped listening', async () => {
  const [soon, never] = [new AbortController(), new AbortController()];
  const told: string[] = [];
  onAbort(soon.signal, () => told.push('before'));
  onAbort(soon.signal, () => told.push('no more'))();
  onAbort(never.signal, () => told.push('never'));
  onAbort(undefined, () => told.push('nothing to hear'));
  soon.abort();
  assert.deepEqual(told, ['before']);
  onAbort(soon.signal, () => told.push('after'));
  onAbort(soon.signal, () => told.push('not even in a moment'))();
  assert.deepEqual(told, ['before'], 'nobody is called back before they know how to stop it');
  await untilAborted(soon.signal);
  assert.deepEqual(told, ['before', 'after']);
});
