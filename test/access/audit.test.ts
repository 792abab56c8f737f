import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rmdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { nameFace } from '../../src/gallery/face-name.js';
import { auditLine, createAudit, type AuditEntry } from '../../src/access/audit.js';
import { temporaryFolder } from '../support/temporary.js';

const ENTRY: AuditEntry = { who: 'camera', address: '::1', action: 'enrol', outcome: 'done' };

describe('the audit', () => {
  it('is a JSON object a line, in order, for its owner alone', async (t) => {
    const file = path.join(await temporaryFolder(t), 'made', 'audit.jsonl');
    const audit = createAudit({ file });
    for (let n = 0; n < 20; n += 1) audit.record({ ...ENTRY, whom: { userid: `u${n}` } });
    await audit.flush();
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    const whom = lines.map((line) => (JSON.parse(line) as { whom: { userid: string } }).whom.userid);
    assert.deepEqual(
      whom,
      Array.from({ length: 20 }, (_, n) => `u${n}`),
    );
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  });

  it('says who did what to whom', () => {
    const entry: AuditEntry = {
      ...ENTRY,
      whom: {
        faceid: 'staff.1-ken_7',
        id: `${'a'.repeat(64)}-${'b'.repeat(64)}_20260101_120000_m0123456789`,
      },
      status: 201,
      route: 'POST /api/v1/people/:faceid/faces',
      requestId: 'a-1',
    };
    assert.deepEqual(auditLine(entry, new Date(0)), {
      time: '1970-01-01T00:00:00.000Z',
      ...entry,
    });
  });

  it('tells a face by its ID as it is given, however long the IDs of the person are', () => {
    const faceid = `${'g'.repeat(64)}-${randomUUID().replaceAll('-', '_')}`;
    const ids = [undefined, 'ab'.repeat(32)].map((picture) => nameFace(faceid, new Date(0), false, picture));
    assert.deepEqual(auditLine({ ...ENTRY, whom: { faces: ids } }).whom, { faces: ids });
  });

  it('takes in no vector, no picture and no text of a caller’s, whatever it is handed', () => {
    const vector = Array.from({ length: 512 }, () => Math.random());
    const picture = randomBytes(3000);
    const smuggled: Record<string, unknown> = {
      vector,
      typed: Float32Array.from(vector),
      bytes: picture,
      base64: picture.toString('base64'),
      short: randomBytes(200).toString('base64url'),
      hex: picture.toString('hex'),
      dataurl: `data:image/png;base64,${picture.toString('base64')}`,
      numbers: vector.join(' '),
    };
    for (const value of Object.values(smuggled)) {
      const text = typeof value === 'string' ? value : 'x';
      const line = auditLine({
        ...ENTRY,
        ...{ who: text, address: text, route: text, requestId: text },
        whom: { faceid: value },
        ...{ embedding: value, image: value },
      });
      const written = JSON.stringify(line);
      assert.ok(written.length < 250, written);
      if (typeof value !== 'string') continue;
      assert.ok(!written.includes(text.slice(0, 20)), written);
    }
    const many = auditLine({
      ...ENTRY,
      whom: Object.fromEntries(vector.map((v, n) => [`f${n}`, String(v)])),
    });
    assert.deepEqual(many.whom, {}, 'names of fields are no place for numbers either');
  });

  it('keeps any subject as it is, in letters that no terminal takes for commands, and out of the log', async (t) => {
    const file = path.join(await temporaryFolder(t), 'audit.jsonl');
    const logged: string[] = [];
    const log = { info: (line: unknown) => logged.push(JSON.stringify(line)), error: () => undefined };
    const audit = createAudit({ file, log });
    const subjects = ['山田 花子', 'Björn', '👩‍🚒', 'a\u202eb\u0000\ud800', 'x'.repeat(255)];
    for (const subject of subjects) void audit.record({ ...ENTRY, whom: { subject, userid: '山田' } });
    await audit.flush();
    const text = await readFile(file, 'utf8');
    const lines = text.trimEnd().split('\n');
    const whom = lines.map((line) => (JSON.parse(line) as { whom: { subject: string } }).whom);
    assert.deepEqual(
      whom,
      subjects.map((subject) => ({ subject, userid: '山田' })),
    );
    assert.match(text, /山田 花子/);
    assert.doesNotMatch(text, /\u202e|\0/);
    assert.doesNotMatch(logged.join(), /花子|Björn/);
    assert.equal(auditLine({ ...ENTRY, whom: { subject: 'x'.repeat(256) } }).whom?.subject, '?');
  });

  it('writes what it could not write when it can again, and no line into half a line', async (t) => {
    const folder = await temporaryFolder(t);
    const file = path.join(folder, 'audit.jsonl');
    await writeFile(file, '{"time":"2026-');
    const audit = createAudit({ file });
    await audit.record({ ...ENTRY, requestId: 'one' });
    await rename(file, `${file}.1`);
    await mkdir(file);
    await audit.record({ ...ENTRY, requestId: 'two' });
    await rmdir(file);
    await audit.record({ ...ENTRY, requestId: 'three' });
    const ids = async (name: string) =>
      (await readFile(name, 'utf8'))
        .split('\n')
        .filter(Boolean)
        .map((line) => /"requestId":"(\w+)"/.exec(line)?.[1]);
    assert.deepEqual(await ids(`${file}.1`), [undefined, 'one']);
    assert.deepEqual(await ids(file), ['two', 'three']);
  });

  it('goes on when the file cannot be written, and says so in the log', async (t) => {
    const told: unknown[] = [];
    const log = { info: () => undefined, error: (...words: unknown[]) => told.push(words) };
    const audit = createAudit({ file: await temporaryFolder(t), log });
    audit.record(ENTRY);
    await audit.flush();
    assert.equal(told.length, 1);
  });
});
