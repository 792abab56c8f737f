import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { createGallery } from '../../src/gallery/gallery.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { encodeNpy } from '../../src/gallery/store/npy.js';
import { createRedisStore } from '../../src/gallery/store/redis-store.js';
import { QUIET_ERRORS } from '../../src/platform/log.js';
import { quietError, quietMessage, quietText } from '../../src/platform/quiet-error.js';
import { PACK, testApp, unitVector } from '../support/app.js';
import { runKaomon } from '../support/command.js';
import { REDIS_MISSING, REDIS_PASSWORD, startRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';

/** As ioredis throws it. */
function replyError(): Error {
  const error = new Error("ERR unknown command 'HSET', with args beginning with: 'key' 'Ken Sato' ");
  const command = { name: 'hset', args: ['key', 'Ken Sato', Buffer.from(unitVector(0).buffer)] };
  return Object.assign(error, { name: 'ReplyError', code: 'ERR', command, previousErrors: [{ command }] });
}

function lines() {
  const written: string[] = [];
  const logger = pino({ ...QUIET_ERRORS, level: 'debug' }, { write: (line: string) => written.push(line) });
  return { logger, written };
}

describe('an error in the log', () => {
  it('has its name, message, code and stack and those of its causes, and nothing else', () => {
    const { logger, written } = lines();
    const cause = replyError();
    const error = Object.assign(new Error('The gallery cannot be written.', { cause }), {
      details: 'Ken Sato',
    });
    logger.warn({ err: error }, 'A request failed');
    const line = JSON.parse(written[0]) as { err: Record<string, unknown> };
    assert.deepEqual(Object.keys(line.err).sort(), ['cause', 'message', 'stack', 'type']);
    const told = line.err.cause as Record<string, unknown>;
    assert.deepEqual(Object.keys(told).sort(), ['code', 'message', 'stack', 'type']);
    assert.deepEqual(
      [told.type, told.code, told.message],
      ['ReplyError', 'ERR', "ERR unknown command 'HSET'"],
    );
    assert.match(String(told.stack), /unknown command 'HSET'\n {4}at /);
  });

  it('is as quiet in any field, alone, and in the lines of a child', () => {
    const { logger, written } = lines();
    logger.error(replyError());
    logger.error({ reason: replyError() }, 'failed');
    logger.child({ a: 1 }).error({ error: replyError() }, 'failed');
    logger.error({ err: replyError() });
    logger.error('of %s', replyError());
    logger.error('of words alone');
    assert.match(written.pop() ?? '', /"msg":"of words alone"/);
    assert.equal(written.length, 5);
    for (const line of written) {
      assert.match(line, /unknown command/);
      assert.doesNotMatch(line, /Sato|Buffer|args|hset/);
    }
  });

  it('quotes no JSON that could not be read, and no value that was thrown', () => {
    for (const text of ['Ken Sato', '{"username": Sato}', '{"a":1} and then Ken Sato follows here']) {
      let error: unknown;
      try {
        JSON.parse(text);
      } catch (thrown) {
        error = thrown;
      }
      assert.ok(error instanceof SyntaxError);
      assert.doesNotMatch(`${quietText(error)} ${quietMessage(error)}`, /Sato/, text);
    }
    assert.doesNotMatch(JSON.stringify(quietError({ name: 'Ken Sato' })), /Sato/);
    assert.match(quietMessage('the disk is full'), /disk/);
  });

  it('ends where causes go in a circle', () => {
    const error = new Error('round');
    error.cause = error;
    assert.ok(JSON.stringify(quietError(error)).length < 20_000);
  });
});

describe('a Redis that refuses a command', { skip: REDIS_MISSING }, () => {
  it('puts no name and no vector into the log of the server', async (t) => {
    const redis = await startRedis(t, ['--rename-command', 'HSET', '']);
    const store = await createRedisStore({
      ...{ redis: redis.settings, pack: PACK.id, length: 4, warn: () => undefined },
    });
    const gallery = await createGallery({ pack: PACK.id, store, index: createExactIndex(4) });
    t.after(() => gallery.close());
    // The caller's words, and the face's: nothing of them in any line.
    const { app, log } = await testApp(t, {}, { gallery });
    const payload = { groupid: 'staff', groupname: 'The vault of Ken Sato' };
    await app.inject({ method: 'POST', url: '/api/v1/groups', payload: { groupid: 'staff' } });
    const answer = await app.inject({
      ...{ method: 'PATCH', url: '/api/v1/groups/staff', payload: { groupname: payload.groupname } },
    });
    assert.ok(answer.statusCode >= 500, answer.body);
    await assert.rejects(
      gallery.enrol({ groupid: 'default', userid: 'ken', username: 'Ken Sato' }, unitVector(0)),
      (error) => {
        app.log.warn({ err: error }, 'as the automatic enrolment writes it');
        return true;
      },
    );
    const text = JSON.stringify(log);
    assert.match(text, /EXECABORT|unknown command/);
    assert.doesNotMatch(text, /Sato|args|"Buffer"/);
    assert.ok(!text.includes(REDIS_PASSWORD));
  });

  it('puts none onto the terminal of a command', async (t) => {
    const redis = await startRedis(t, ['--rename-command', 'HSETNX', '']);
    const folder = await temporaryFolder(t);
    await mkdir(path.join(folder, 'vault-sato'));
    const vector = Float32Array.from({ length: 512 }, (_, i) => Math.sin(i));
    await writeFile(path.join(folder, 'vault-sato', 'a.npy'), encodeNpy(vector));
    const { code, text } = await runKaomon(['import', folder], {
      ...{ EMBEDDING_STORE: 'redis', EVENT_LOG: 'none', EMBEDDINGS_DIR: folder, REDIS_PASSWORD },
      REDIS_URL: redis.settings.url,
    });
    assert.equal(code, 1, text);
    assert.match(text, /unknown command/);
    assert.doesNotMatch(text, /args|groupname|<Buffer|Default/);
    assert.ok(!text.includes(REDIS_PASSWORD));
  });
});

describe('a line about a call', () => {
  it('does not name the subject that its address or its refusal names', async (t) => {
    const { app, log } = await testApp(t);
    const subject = encodeURIComponent('Ken Sato');
    const made = {
      method: 'POST',
      url: '/api/v1/recognition/subjects',
      payload: { subject: 'Ken Sato' },
    } as const;
    for (const status of [201, 400]) assert.equal((await app.inject(made)).statusCode, status);
    for (const url of [
      `/api/v1/recognition/subjects/${subject}`,
      `/api/v1/recognition/subjects/${subject}`,
    ]) {
      await app.inject({ method: 'DELETE', url });
    }
    const lines = log.filter(({ path: address }) => String(address).includes('/recognition/subjects'));
    assert.equal(lines.length, 4);
    // The audit is there to say whom.
    assert.doesNotMatch(JSON.stringify(log.filter(({ audit }) => !audit)), /Sato/);
  });
});
