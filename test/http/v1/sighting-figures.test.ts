import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../../src/access/keys.js';
import type { Config } from '../../../src/settings/config.js';
import type { Sightings } from '../../../src/sightings/open.js';
import { testApp } from '../../support/app.js';
import { keepVisit, NOON, STRANGER, vote } from '../../support/sightings.js';
import { until } from '../../support/until.js';

const KEPT = { sightings: 3, strangers: 2, unknowns: 1, oldest: NOON + 5000, bytes: 94_208 };
const INFO = { seen: 7, open: 1, waiting: 2, written: 9, dropped: 3, isDropping: false };

/** Sightings that say what a test wants. */
const scripted = (info: Partial<ReturnType<Sightings['info']>>, kept: typeof KEPT | null = KEPT) =>
  ({ info: () => ({ ...INFO, ...info }), kept: () => kept ?? undefined }) as unknown as Sightings;

async function asked(t: TestContext, sightings: Sightings, settings: Partial<Config> = {}) {
  const test = await testApp(t, settings, { sightings });
  const get = async (url: string, key = '') =>
    await test.app.inject({ url, headers: key ? { 'x-api-key': key } : {} });
  return { ...test, get };
}

describe('the figures of sightings', () => {
  it('are in status, health and metrics', async (t) => {
    const { get } = await asked(t, scripted({}));
    const expected = {
      ...{ seen: 7, open: 1, waiting: 2, written: 9, dropped: 3 },
      kept: { ...KEPT, oldest: '2026-11-27T12:00:05.000Z' },
    };
    for (const url of ['/api/v1/status', '/api/v1/health'])
      assert.deepEqual((await get(url)).json<{ sightings: unknown }>().sightings, expected, url);
    const metrics = (await get('/metrics')).body;
    for (const line of [
      'kaomon_visits_seen_total 7',
      'kaomon_visits_open 1',
      'kaomon_visits_waiting 2',
      'kaomon_visits_written_total 9',
      'kaomon_visits_dropped_total 3',
      'kaomon_sightings_failing 0',
      'kaomon_sightings 3',
      'kaomon_sightings_of_strangers 2',
      'kaomon_unknowns 1',
      'kaomon_sightings_bytes 94208',
      `kaomon_sightings_oldest_seconds ${NOON / 1000 + 5}`,
    ])
      assert.ok(metrics.split('\n').includes(line), `${line}\n${metrics}`);
  });

  it('are of what is really kept', async (t) => {
    const { app, sightings, gallery } = await testApp(t, { SIGHTINGS: true });
    assert.ok(sightings);
    await gallery.createGroup({ groupid: 'g', groupname: 'G' });
    await gallery.enrol({ groupid: 'g', userid: 'ann' }, Float32Array.of(1, 0, 0, 0));
    const figures = async () =>
      (await app.inject('/api/v1/status')).json<{ sightings: { kept?: object } }>().sightings.kept;
    await keepVisit(sightings, 'w.1', { votes: [vote('g-ann')] });
    await keepVisit(sightings, 'w.2', STRANGER, 2);
    await until(async () => (await figures()) !== undefined);
    const { bytes, ...others } = (await figures()) as { bytes: number };
    assert.ok(bytes > 0);
    assert.deepEqual(others, {
      ...{ sightings: 2, strangers: 1, unknowns: 1, oldest: '2026-11-27T12:00:05.000Z' },
    });
  });

  it('are for administrators of all groups, because strangers are', async (t) => {
    const { get, config } = await asked(t, scripted({}), { AUTH: 'key' });
    const keys = createKeys({ file: config.KEYS_FILE });
    for (const [role, groups, sees] of [
      ['recognise', undefined, false],
      ['admin', ['staff'], false],
      ['admin', undefined, true],
    ] as const) {
      const { key } = await keys.add({
        name: `${role}-${sees}-${groups?.join() ?? ''}`,
        role,
        ...(groups && { groups: [...groups] }),
      });
      for (const url of ['/api/v1/status', '/api/v1/health']) {
        const answer = await get(url, key);
        assert.equal(answer.statusCode, 200);
        assert.equal('sightings' in answer.json<object>(), sees, `${role} ${groups?.join() ?? ''} ${url}`);
      }
    }
  });

  it('are absent where nobody is kept, and without what is kept while the file cannot be read', async (t) => {
    const { app } = await testApp(t);
    assert.ok(!('sightings' in (await app.inject('/api/v1/status')).json<object>()));
    assert.ok(!(await app.inject('/metrics')).body.includes('kaomon_sightings'));
    const { get } = await asked(t, scripted({ trouble: 'SQLITE_FULL' }, null));
    const { sightings } = (await get('/api/v1/status')).json<{ sightings: object }>();
    assert.ok(!('kept' in sightings));
    assert.ok((await get('/metrics')).body.includes('kaomon_sightings_failing 1'));
  });

  it('make the server degraded while sightings cannot be written, or were just dropped', async (t) => {
    for (const [info, sentence] of [
      [{ trouble: 'SQLITE_FULL: database or disk is full' }, /cannot be written/],
      [{ isDropping: true }, /were dropped/],
      [{}, undefined],
    ] as const) {
      const { get } = await asked(t, scripted(info));
      const { status, trouble = [] } = (await get('/api/v1/ready')).json<{
        status: string;
        trouble?: { what: string; message: string }[];
      }>();
      assert.equal(status, sentence ? 'degraded' : 'ok');
      if (sentence) {
        assert.equal(trouble[0].what, 'sightings');
        assert.match(trouble[0].message, sentence);
      } else assert.deepEqual(trouble, []);
    }
  });
});
