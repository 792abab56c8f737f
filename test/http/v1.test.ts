import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VERSION } from '../../src/platform/version.js';
import { PACK, testApp } from '../support/app.js';

describe('GET /api/v1/health', () => {
  it('says what this worker is made of', async (t) => {
    const { app, vision } = await testApp(t, { IDENTICAL_DISTANCE: 0.2 });
    vision.state = {
      threads: 2,
      queued: 3,
      running: 2,
      provider: 'cpu',
      refusedProviders: [{ provider: 'cuda', reason: 'not installed' }],
    };
    const answer = await app.inject('/api/v1/health');
    assert.equal(answer.statusCode, 200);
    const { uptime, ...rest } = answer.json<Record<string, unknown>>();
    assert.ok(Number.isInteger(uptime));
    assert.deepEqual(rest, {
      status: 'ok',
      version: VERSION,
      pack: {
        ...{ id: 'tiny', title: PACK.title, licence: 'MIT', detector: 'ssd' },
        ...{ embedder: 'tiny', precision: 'float32' },
      },
      thresholds: {
        ...{ identical: 0.2, sure: 0.2, pair: 0.2, faces: 0, by: 'setting' },
        ...{ falseNames: null, falseMatchRate: null, pairs: null, beyondPairs: false },
        sentence:
          'IDENTICAL_DISTANCE fixes the threshold. How many strangers it names was not measured for tiny.',
      },
      keepFaces: false,
      vision: vision.state,
      gallery: {
        pack: 'tiny',
        people: 0,
        faces: 0,
        corrections: 0,
        groups: 1,
        otherPacks: {},
        setAside: 0,
        index: 'exact',
      },
    });
  });

  it('is 503 when no thread is left that could see', async (t) => {
    const { app, vision } = await testApp(t);
    vision.state = { ...vision.state, threads: 0 };
    const answer = await app.inject('/api/v1/health');
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.json<{ status: string }>().status, 'unavailable');
  });

  it('tells a stranger no more than that it works', async (t) => {
    const { app } = await testApp(t, { AUTH: 'key' });
    const answer = await app.inject('/api/v1/health');
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(answer.json(), { status: 'ok' });
  });
});

describe('/api/v1/groups', () => {
  it('makes a group and lists it', async (t) => {
    const { app } = await testApp(t);
    const payload = { groupid: 'staff.1', groupname: '職員' };
    const made = await app.inject({ method: 'POST', url: '/api/v1/groups', payload });
    assert.equal(made.statusCode, 201);
    assert.deepEqual(made.json(), payload);
    const unnamed = await app.inject({ method: 'POST', url: '/api/v1/groups', payload: { groupid: 'g2' } });
    assert.deepEqual(unnamed.json(), { groupid: 'g2', groupname: 'g2' });
    const groups = (await app.inject('/api/v1/groups')).json<{ groupid: string }[]>();
    assert.deepEqual(groups.map(({ groupid }) => groupid).sort(), ['default', 'g2', 'staff.1']);
  });

  const refused: [title: string, payload: unknown, status: number, code: string, says: RegExp][] = [
    ['no groupid', {}, 400, 'FIELD_MISSING', /"groupid" is missing/],
    ['a number for an ID', { groupid: 5 }, 400, 'GROUPID_INVALID', /"groupid"/],
    ['../ in the ID', { groupid: '../x' }, 400, 'GROUPID_INVALID', /group ID/],
    [
      'a name of 201 letters',
      { groupid: 'a', groupname: 'x'.repeat(201) },
      400,
      'FIELD_INVALID',
      /groupname/,
    ],
    ['an unknown field', { groupid: 'a', colour: 'red' }, 400, 'FIELD_INVALID', /"colour" is not known/],
    ['a list', [], 400, 'FIELD_INVALID', /"body"/],
    ['one that exists', { groupid: 'default' }, 409, 'GROUP_EXISTS', /already/],
  ];
  for (const [title, payload, status, code, says] of refused) {
    it(`${title}: ${status} ${code}`, async (t) => {
      const { app } = await testApp(t);
      const answer = await app.inject({
        method: 'POST',
        url: '/api/v1/groups',
        headers: { 'content-type': 'application/json' },
        payload: JSON.stringify(payload),
      });
      const body = answer.json<Record<string, string>>();
      assert.deepEqual([answer.statusCode, body.statusCode, body.code], [status, status, code]);
      assert.match(body.message, says);
      assert.deepEqual(
        Object.keys(body).filter((key) => key !== 'details'),
        ['statusCode', 'code', 'error', 'message'],
      );
    });
  }

  it('a body that is not JSON, empty, too large, or of another kind', async (t) => {
    const { app } = await testApp(t);
    const json = { 'content-type': 'application/json' };
    for (const [headers, payload, status, code] of [
      [json, '{"groupid":', 400, 'BODY_UNREADABLE'],
      [json, '', 400, 'BODY_UNREADABLE'],
      [json, `"${'x'.repeat(1_000_001)}"`, 413, 'UPLOAD_TOO_LARGE'],
      [{ 'content-type': 'text/html' }, '<p>', 415, 'MEDIA_TYPE_UNKNOWN'],
    ] as const) {
      const answer = await app.inject({ method: 'POST', url: '/api/v1/groups', headers, payload });
      assert.equal(answer.statusCode, status);
      assert.equal(answer.json<{ code: string }>().code, code);
    }
  });
});
