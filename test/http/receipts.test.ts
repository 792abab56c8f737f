import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readAudit, written } from '../support/audit-lines.js';
import { seededApp } from '../support/seeded-app.js';
import { unitVector } from '../support/app.js';

const ADA = { people: 1, faces: 1, pictures: 1, sightings: 1, sightingPictures: 1 };

describe('a deletion', () => {
  for (const { what, url, status } of [
    { what: 'v1', url: '/api/v1/people/staff-ada', status: 200 },
    { what: 'v1, with the group', url: '/api/v1/groups/staff?people=delete', status: 200 },
    { what: 'maiface', url: '/api/staff/ada', status: 200 },
    { what: 'CompreFace, a subject', url: '/api/v1/recognition/subjects/Ada', status: 200 },
    { what: 'CompreFace, all subjects', url: '/api/v1/recognition/subjects', status: 200 },
    { what: 'CompreFace, examples of a subject', url: '/api/v1/recognition/faces?subject=Ada', status: 200 },
    { what: 'CompreFace, all examples', url: '/api/v1/recognition/faces', status: 200 },
  ]) {
    it(`has a receipt that stands in the audit log with what was erased (${what})`, async (t) => {
      const test = await seededApp(t, { COMPREFACE_GROUP: 'staff', SIGHTINGS: true });
      const answer = await test.app.inject({ method: 'DELETE', url });
      assert.equal(answer.statusCode, status, answer.body);
      assert.equal(await test.gallery.person('staff-ada'), undefined);
      const receipt = String(answer.headers['kaomon-receipt']);
      assert.match(receipt, /^e_[\w-]{12}$/);
      const line = (await readAudit(test)).at(-1);
      assert.deepEqual(
        [line?.action, line?.whom.receipt, line?.erased],
        [
          'delete',
          receipt,
          {
            ...ADA,
            corrections: 0,
          },
        ],
      );
      if (!url.includes('people')) return;
      const body = answer.json<{ receipt: string; erased: object[] }>();
      assert.equal(body.receipt, receipt);
      assert.deepEqual(body.erased, [
        { what: 'people', where: 'disk', count: 1 },
        { what: 'faces', where: 'disk', count: 1 },
        { what: 'faces', where: 'index', count: 1 },
        { what: 'pictures', where: 'disk', count: 1 },
        { what: 'sightings', where: 'sightings', count: 1 },
        { what: 'sightingPictures', where: 'sightings', count: 1 },
      ]);
    });
  }

  it('that finds nobody has none, and of two at once one has it', async (t) => {
    const { app } = await seededApp(t);
    const url = '/api/v1/people/default-ken';
    const both = await Promise.all([1, 2].map(() => app.inject({ method: 'DELETE', url })));
    assert.deepEqual(both.map(({ statusCode }) => statusCode).sort(), [200, 404]);
    assert.equal(both.filter(({ headers }) => headers['kaomon-receipt']).length, 1);
  });

  it('says of a gallery on Milvus that its files hold the vectors for a while', async (t) => {
    const { app } = await seededApp(t, { INDEX: 'milvus', EMBEDDING_STORE: 'redis' });
    const answer = await app.inject({ method: 'DELETE', url: '/api/v1/people/staff-ada' });
    const { held, erased } = answer.json<Record<'held' | 'erased', { where: string; what: string }[]>>();
    assert.ok(held.some(({ where, what }) => where === 'milvus files' && what === 'vectors'));
    assert.ok(erased.some(({ where, what }) => where === 'milvus' && what === 'faces'));
  });

  it('says until when what is held, as the settings are', async (t) => {
    const test = await seededApp(t, {
      AUDIT_DAYS: 30,
      EVENT_LOG: 'none',
      WEBHOOKS: 'https://a.example/hook',
    });
    await test.gallery.correct('staff-ada', unitVector(1));
    const answer = await test.app.inject({ method: 'DELETE', url: '/api/v1/people/staff-ada' });
    const { held, erasedAt } = answer.json<{
      erasedAt: string;
      held: { where: string; until: string | null }[];
    }>();
    assert.deepEqual(
      held.map(({ where }) => where),
      ['audit log', 'server log', 'freed blocks', 'backups', 'archives', 'receivers'],
    );
    const until = held.find(({ where }) => where === 'audit log')?.until ?? '';
    assert.equal((Date.parse(until) - Date.parse(erasedAt)) / 86_400_000, 31);
  });
});

describe('a request for access', () => {
  it('is answered with all that is kept of one person, by an administrator, and audited', async (t) => {
    const test = await seededApp(t, { SIGHTINGS: true, KEEP_SIGHTINGS: true });
    await test.gallery.updatePerson('staff-ada', {
      consent: { given: '2024-05-02', how: 'form', by: 'office' },
    });
    await test.gallery.correct('staff-ada', unitVector(1), Uint8Array.of(7, 7, 7));
    const url = '/api/v1/people/staff-ada/export';
    const { rawPayload, headers } = await test.app.inject(url);
    assert.match(String(headers['content-disposition']), /staff-ada\.zip/);
    const entries = rawPayload.toString('latin1').split('PK\u0001\u0002').slice(1);
    const names = entries.map((entry) =>
      entry
        .slice(42)
        .split('PK')[0]
        .replace(/staff-ada_\w+/, 'ID'),
    );
    assert.deepEqual(names, [
      ...['person.json', 'faces/ID.npy', 'faces/ID.png', 'corrections/ID.png'],
      ...['sightings.json', 'sightings/1.npy', 'sightings/1.png'],
    ]);
    const text = rawPayload.toString();
    assert.match(text, /"username": "Ada"[^]*"how": "form"[^]*"deviceid": "door"/);
    assert.ok(rawPayload.includes(Buffer.from(unitVector(0).buffer)), 'the embedding');
    const lines = await written(test, (all) => all.some(({ outcome }) => outcome === 'done'));
    assert.deepEqual(
      lines.map(({ action, whom, outcome }) => [action, whom.faceid, outcome]),
      ['begun', 'done'].map((outcome) => ['export', 'staff-ada', outcome]),
    );
    assert.equal((await test.app.inject('/api/v1/people/staff-nobody/export')).statusCode, 404);
  });
});
