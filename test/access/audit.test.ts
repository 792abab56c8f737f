import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
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

  it('goes on when the file cannot be written, and says so in the log', async (t) => {
    const told: unknown[] = [];
    const log = { info: () => undefined, error: (...words: unknown[]) => told.push(words) };
    const audit = createAudit({ file: await temporaryFolder(t), log });
    audit.record(ENTRY);
    await audit.flush();
    assert.equal(told.length, 1);
  });
});
