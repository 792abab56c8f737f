import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createKeys } from '../../../src/access/keys.js';
import type { Notices } from '../../../src/notices/open.js';
import type { ReceiverState } from '../../../src/notices/post.js';
import { testApp } from '../../support/app.js';

const HOOK: ReceiverState = {
  ...{ id: '0a1b', receiver: 'https://hooks.example', delivered: 3, dropped: 1, failed: 2, isOff: false },
  waitingSince: '2026-01-31T09:00:00.000Z',
  failing: { since: new Date(Date.now() - 60_000).toISOString(), reason: 'answers 500' },
};

function scripted(receivers: ReceiverState[], trouble: string | null = null): Notices {
  return {
    info: () => ({ receivers, trouble }),
    leads: () => true,
    test: () => Promise.resolve([{ receiver: HOOK.receiver, isDelivered: false, reason: 'answers 500' }]),
    close: () => Promise.resolve(),
  };
}

interface Works {
  status: string;
  trouble?: { what: string; message: string }[];
  notices?: object;
}

describe('notices over HTTP', () => {
  it('say who is told, and try it', async (t) => {
    const { app } = await testApp(t, {}, { notices: scripted([HOOK]) });
    const told = (await app.inject('/api/v1/notices')).json<{ receivers: ReceiverState[] }>();
    assert.deepEqual(told, { receivers: [HOOK], trouble: null });
    const tried = await app.inject({ method: 'POST', url: '/api/v1/notices/test' });
    assert.deepEqual(tried.json(), {
      receivers: [{ receiver: HOOK.receiver, isDelivered: false, reason: 'answers 500' }],
    });
  });

  it('are in the health and the troubles, without who is told', async (t) => {
    const health = async (receivers: ReceiverState[], trouble: string | null = null) => {
      const { app } = await testApp(t, {}, { notices: scripted(receivers, trouble) });
      const answer = await app.inject('/api/v1/health');
      assert.ok(!answer.body.includes('hooks.example'));
      return answer.json<Works>();
    };
    const late = await health([HOOK]);
    assert.equal(late.status, 'degraded');
    assert.match(late.trouble?.[0].message ?? '', /takes none/);
    assert.deepEqual(late.notices, {
      ...{ receivers: 1, failing: 1, delivered: 3, dropped: 1, failed: 2 },
      waitingSince: '2026-01-31T09:00:00.000Z',
    });
    // Whoever is restarted is no trouble yet.
    const { since } = { since: new Date().toISOString() };
    const restarted = await health([{ ...HOOK, failing: { since, reason: 'cannot be reached' } }]);
    assert.equal(restarted.status, 'ok');
    assert.match((await health([{ ...HOOK, isOff: true }])).trouble?.[0].message ?? '', /410/);
    assert.match((await health([], 'the disk is full')).trouble?.[0].message ?? '', /cannot be sent/);
    const worker = await testApp(t, {}, { notices: scripted([HOOK, { ...HOOK, failing: null }]) });
    const figures = (await worker.app.inject('/metrics')).body;
    for (const line of [
      'delivered 6',
      'dropped 2',
      'failed 4',
      'receivers_failing 1',
      'oldest_seconds [1-9]\\d+',
    ])
      assert.match(figures, new RegExp(`^kaomon_notices_${line}`, 'm'));
    const { app } = await testApp(t);
    assert.ok(!('notices' in (await app.inject('/api/v1/health')).json<object>()));
    assert.deepEqual((await app.inject('/api/v1/notices')).json(), { receivers: [], trouble: null });
  });

  it('are for administrators of all groups', async (t) => {
    const { app, config } = await testApp(t, { AUTH: 'key' }, { notices: scripted([HOOK]) });
    const keys = createKeys({ file: config.KEYS_FILE });
    for (const [role, groups, expected] of [
      ['recognise', undefined, 403],
      ['enrol', undefined, 403],
      ['admin', ['staff'], 403],
      ['admin', undefined, 200],
    ] as const) {
      const name = `${role} ${groups?.join() ?? ''}`;
      const { key } = await keys.add({ name, role, ...(groups && { groups: [...groups] }) });
      const headers = { 'x-api-key': key };
      assert.equal((await app.inject({ url: '/api/v1/notices', headers })).statusCode, expected, name);
      const test = await app.inject({ method: 'POST', url: '/api/v1/notices/test', headers });
      assert.equal(test.statusCode, expected, name);
    }
  });
});
