import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { type AuditEntry, createAudit } from '../../src/access/audit.js';
import { pruneLines, startPruning } from '../../src/access/audit-file.js';
import { namesIn } from '../../src/platform/files/durable.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const ENTRY: AuditEntry = { who: 'office', address: '10.0.0.1', action: 'delete', outcome: 'done' };
const line = (day: string, id: string) => `{"time":"${day}T12:00:00.000Z","who":"${id}"}\n`;

describe('the audit’s file', () => {
  it('loses the lines that are too old, and nothing else, in order', async (t) => {
    const folder = await temporaryFolder(t);
    const file = path.join(folder, 'audit.jsonl');
    const old = line('2026-01-01', 'a');
    const kept = [
      'not a line of ours\n',
      line('2026-03-01', 'b'),
      line('2027-01-01', 'c'),
      '{"time":"2026-0',
    ];
    // A line may be older than the one before it: somebody has set the clock back.
    await writeFile(file, [old, kept[0], kept[1], old, kept[2], kept[3]].join(''), { mode: 0o640 });
    assert.equal(await pruneLines(file, Date.parse('2026-02-01')), 2);
    assert.equal(await readFile(file, 'utf8'), kept.join(''));
    assert.equal((await stat(file)).mode & 0o777, 0o640);
    assert.equal(await pruneLines(file, Date.parse('2026-02-01')), 0);
    assert.equal(await pruneLines(path.join(folder, 'none.jsonl'), 0), 0);
    assert.deepEqual(await namesIn(folder), ['audit.jsonl'], 'nothing else is left');
  });

  it('loses none by a clock that has just jumped', async (t) => {
    const file = path.join(await temporaryFolder(t), 'audit.jsonl');
    await writeFile(file, line('2026-01-01', 'a') + line('2026-03-01', 'b'));
    const clock = { date: Date.parse('2026-03-02'), now: 0 };
    let asked = 0;
    const pruning = startPruning(file, 30, {
      log: { warn: () => undefined },
      date: () => (asked++, clock.date),
      now: () => clock.now,
      every: 1,
    });
    t.after(() => pruning.close());
    const has = async (wanted: string) => (await readFile(file, 'utf8')).includes(wanted);
    await until(async () => !(await has('"a"')));
    // Set a year ahead, and put right within the hour.
    clock.date += 365 * DAY;
    const then = asked;
    await until(() => asked > then + 10);
    assert.ok(await has('"b"'));
    clock.date -= 365 * DAY;
    clock.now += HOUR;
    clock.date += HOUR;
    const later = asked;
    await until(() => asked > later + 10);
    assert.ok(await has('"b"'));
    // Time that passes is believed.
    clock.now += 60 * DAY;
    clock.date += 60 * DAY;
    await until(async () => !(await has('"b"')));
  });

  it('keeps every line that is written meanwhile by others', async (t) => {
    const file = path.join(await temporaryFolder(t), 'audit.jsonl');
    await writeFile(file, line('2020-01-01', 'a').repeat(20_000));
    const writers = [createAudit({ file }), createAudit({ file }), createAudit({ file })];
    const each = 60;
    const writing = writers.map(async (audit, w) => {
      for (let i = 0; i < each; i++) await audit.record({ ...ENTRY, whom: { id: `w${w}_${i}` } });
    });
    const before = Date.parse('2021-01-01');
    const pruning = Promise.all([pruneLines(file, before), pruneLines(file, before)]);
    await Promise.all([...writing, pruning]);
    await pruneLines(file, before);
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, writers.length * each);
    for (const [w] of writers.entries())
      assert.deepEqual(
        lines.flatMap((text) => new RegExp(`"w${w}_(\\d+)"`).exec(text)?.[1] ?? []).map(Number),
        Array.from({ length: each }, (_, i) => i),
        'in order',
      );
  });
});
