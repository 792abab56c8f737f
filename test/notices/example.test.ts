import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { readSecrets } from '../../src/notices/signature.js';
import type { Notice } from '../../src/notices/types.js';
import { createWebHook } from '../../src/notices/web-hook.js';
import { DOCUMENTS } from '../support/documents.js';
import { freePort } from '../support/port.js';
import { SECRET } from '../support/receiver.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

it("the document's receiver takes what is genuine, once, and nothing else", async (t) => {
  const port = await freePort();
  const { blocks = [] } = DOCUMENTS.find(({ name }) => name === 'docs/notices.md') ?? {};
  const example = blocks.find(({ language }) => language === 'js')?.text.replace('8080', String(port)) ?? '';
  const file = path.join(await temporaryFolder(t), 'receiver.mjs');
  await writeFile(file, example);
  const child = spawn(process.execPath, [file], {
    env: { WEBHOOK_SECRET: SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));

  const deliverWith = async (secret: string, notice: Notice) => {
    const hook = createWebHook({
      ...{ id: 'hook', url: `http://127.0.0.1:${port}/`, keys: readSecrets(secret) },
      ...{ mayBePrivate: true, ca: undefined },
    });
    try {
      await hook.deliver(notice, new AbortController().signal);
      return 'taken';
    } catch (error) {
      return String(error);
    } finally {
      await hook.close();
    }
  };
  const person = { faceid: 'staff-hanako', groupid: 'staff', userid: 'hanako', username: '山田 花子' };
  const notice: Notice = { id: 'n1', type: 'arrived', at: new Date().toISOString(), person };
  await until(async () => (await deliverWith(SECRET, notice)) === 'taken');
  assert.equal(await deliverWith(SECRET, notice), 'taken');
  assert.match(await deliverWith(`whsec_${'A'.repeat(32)}`, { ...notice, id: 'n2' }), /answers 401/);
  assert.equal(await deliverWith(SECRET, { ...notice, id: 'n3', type: 'left' }), 'taken');
  await until(() => printed.includes('left'));
  assert.equal(printed, 'arrived 山田 花子\nleft 山田 花子\n');
  const ended = once(child, 'exit');
  child.kill();
  await ended;
});
