import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { QUIET_ERRORS } from '../../src/platform/log.js';
import { createDetectLog } from '../../src/identity/detect-log.js';
import { openRedis, untilReady } from '../../src/platform/redis.js';
import { face, testApp, unitVector } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { freePort } from '../support/port.js';
import { REDIS_MISSING, redisSettings, startRedis as startLockedRedis } from '../support/redis.js';
import { startTlsRedis } from '../support/redis-kinds.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

async function startRedis(t: TestContext, port: number, more: string[] = []): Promise<ChildProcess> {
  const folder = await temporaryFolder(t);
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...more];
  const child = spawn('redis-server', options, { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** A client that is closed after the test. */
function client(t: TestContext, port: number): Redis {
  const redis = new Redis(port, '127.0.0.1', { db: 2 });
  redis.on('error', () => undefined);
  t.after(() => redis.disconnect());
  return redis;
}

function logOf(t: TestContext, port: number, expire = 60) {
  const warnings: string[] = [];
  const log = { info: () => undefined, warn: (_fields: object, text?: string) => warnings.push(text ?? '') };
  const redis = redisSettings(`redis://127.0.0.1:${port}`, { password: '' });
  const detectLog = createDetectLog({ redis, database: 2, expire, log });
  t.after(() => detectLog.close());
  return { detectLog, warnings };
}

describe('Detection results in Redis', { skip: REDIS_MISSING }, () => {
  it('are a list of distances for each camera and person, newest last, that expires', async (t) => {
    const port = await freePort();
    await startRedis(t, port);
    const redis = client(t, port);
    const { detectLog } = logOf(t, port, 1);
    await until(() => detectLog.info().connected);
    const { app, vision, gallery } = await testApp(t, {}, { detectLog });
    await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0));
    for (const [deviceid, distance] of [
      ['door1', 0.1234567],
      ['door1', 0.25],
      ['', 0.25],
      ['door1', 0.75],
    ] as const) {
      vision.faces = [face(100, distance)];
      const request = await form(['image', await greyJpeg()], ['deviceid', deviceid]);
      const answer = await app.inject({ method: 'POST', url: '/api/face_recognizer', ...request });
      assert.equal(answer.statusCode, 200);
    }
    await until(() => detectLog.info().written === 3);
    const texts = await redis.lrange('door1_default-ken', 0, -1);
    assert.deepEqual(
      texts.map((text) => Number(text).toFixed(3)),
      ['0.123', '0.250'],
    );
    assert.ok(texts.every((text) => /^\d\.\d{1,6}$/.test(text)));
    assert.equal((await redis.lrange('_default-ken', 0, -1)).length, 1);
    assert.equal(detectLog.info().dropped, 0);
    await until(async () => (await redis.dbsize()) === 0);
  });

  it('refuse a device ID that is not fit to be part of a key, and bound a list', async (t) => {
    const port = await freePort();
    await startRedis(t, port);
    const redis = client(t, port);
    const { detectLog } = logOf(t, port);
    await until(() => detectLog.info().connected);
    for (const deviceid of ['a b', 'a\nb', 'x'.repeat(65), '鍵'])
      detectLog.record(deviceid, 'default-ken', 0.1);
    assert.deepEqual(detectLog.info(), { written: 0, dropped: 4, connected: true });
    for (let i = 0; i < 1100; i++) {
      detectLog.record('d', 'default-ken', i / 10_000);
      if (i % 200 === 199) await until(() => detectLog.info().written === i + 1);
    }
    await until(() => detectLog.info().written === 1100);
    assert.equal(await redis.llen('d_default-ken'), 1000);
    assert.equal(await redis.lindex('d_default-ken', -1), '0.1099');
  });

  it('come again when Redis does; until then recognition goes on, one warning is logged, and what was lost is counted', async (t) => {
    const port = await freePort();
    const { detectLog, warnings } = logOf(t, port);
    await until(() => warnings.length > 0);
    for (let i = 0; i < 5; i++) detectLog.record('d', 'default-ken', 0.1);
    assert.deepEqual(detectLog.info(), { written: 0, dropped: 5, connected: false });
    const child = await startRedis(t, port);
    await until(() => detectLog.info().connected);
    detectLog.record('d', 'default-ken', 0.1);
    await until(() => detectLog.info().written === 1);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await until(() => !detectLog.info().connected);
    detectLog.record('d', 'default-ken', 0.1);
    await until(() => detectLog.info().dropped === 6);
    assert.ok(warnings.length <= 2, warnings.join('; '));
  });

  it('are written with the password and the certificate that REDIS_PASSWORD and REDIS_CA name', async (t) => {
    const log = { info: () => undefined, warn: () => undefined };
    for (const settings of [(await startLockedRedis(t)).settings, await startTlsRedis(t)]) {
      const detectLog = createDetectLog({ redis: settings, database: 3, expire: 60, log });
      t.after(() => detectLog.close());
      await until(() => detectLog.info().connected);
      detectLog.record('d', 'default-ken', 0.1);
      await until(() => detectLog.info().written === 1);
      const redis = openRedis({ ...settings, database: 3 }, 'commands', () => undefined);
      t.after(() => redis.disconnect());
      await untilReady(redis, 5000);
      assert.equal(await redis.llen('d_default-ken'), 1);
    }
    const cluster = redisSettings('redis+cluster://127.0.0.1:1,127.0.0.1:2');
    assert.throws(() => createDetectLog({ redis: cluster, database: 2, expire: 60, log }), { code: 'SETUP' });
  });

  it('leave no password in the log, wrong or right', async (t) => {
    const port = await freePort();
    // It knows no AUTH, and quotes what came with it.
    await startRedis(t, port, ['--rename-command', 'AUTH', '']);
    const locked = await startLockedRedis(t);
    for (const url of [`redis://127.0.0.1:${port}`, locked.settings.url]) {
      const lines: string[] = [];
      const log = pino(QUIET_ERRORS, { write: (line: string) => lines.push(line) });
      const redis = redisSettings(url, { password: 'hush-hush' });
      const detectLog = createDetectLog({ redis, database: 2, expire: 60, log });
      t.after(() => detectLog.close());
      await until(() => lines.length > 0);
      assert.match(lines[0], /cannot be written to Redis/);
      assert.doesNotMatch(lines.join(''), /hush/);
    }
  });

  it('are dropped beyond a bound while Redis is silent, and nobody waits for them', async (t) => {
    const port = await freePort();
    const child = await startRedis(t, port);
    const { detectLog } = logOf(t, port);
    await until(() => detectLog.info().connected);
    child.kill('SIGSTOP');
    for (let i = 0; i < 3000; i++) detectLog.record('d', 'default-ken', 0.1);
    assert.equal(detectLog.info().dropped, 2000, '1,000 are under way');
    // What was under way fails by its time limit, and is counted.
    await until(() => detectLog.info().dropped === 3000);
    assert.equal(detectLog.info().written, 0);
  });
});
