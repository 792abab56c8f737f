import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../../src/access/keys.js';
import { createFileLog } from '../../../src/events/file-log.js';
import { TINY_PICTURE } from '../../../src/http/intake/pictures.js';
import type { SightingAnswer } from '../../../src/http/v1/sighting-schemas.js';
import type { Config } from '../../../src/settings/config.js';
import { face, testApp, type TestApp, unitVector } from '../../support/app.js';
import { readAudit } from '../../support/audit-lines.js';
import { keepVisit, NOON, STRANGER, vote } from '../../support/sightings.js';
import { temporaryFolder } from '../../support/temporary.js';
import { until } from '../../support/until.js';

interface Page {
  sightings: SightingAnswer[];
  next: string | null;
}

async function kept(
  t: TestContext,
  settings: Partial<Config> = {},
  deps: Parameters<typeof testApp>[2] = {},
) {
  const test = await testApp(t, { SIGHTINGS: true, KEEP_SIGHTINGS: true, ...settings }, deps);
  const { app, gallery, sightings } = test;
  assert.ok(sightings);
  await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
  await gallery.enrol({ groupid: 'staff', userid: 'hana', username: '山田 花子' }, unitVector(0));
  await gallery.enrol({ groupid: 'default', userid: 'ken', username: '=1+1' }, unitVector(2));
  const get = async (url: string, key = '') => {
    const answer = await app.inject({ url, headers: key ? { 'x-api-key': key } : {} });
    return { status: answer.statusCode, body: answer.json<Page & Record<string, unknown>>() };
  };
  const keep = (uid: string, faceid: string | undefined, more: object = {}) =>
    keepVisit(
      sightings,
      uid,
      { ...(faceid ? { votes: [vote(faceid)] } : STRANGER), ...more },
      faceid ? 0 : 4,
    );
  return { ...test, sightings, get, keep };
}

const namesOf = ({ sightings }: Page) => sightings.map(({ person }) => person?.faceid ?? null).sort();

describe('GET /api/v1/sightings', () => {
  it('lists visits newest first with the names of today, page by page, as they are asked for', async (t) => {
    const { get, keep, gallery } = await kept(t);
    for (let i = 0; i < 5; i++)
      await keep(`w.${i}`, ['staff-hana', 'default-ken', undefined][i % 3], {
        ...{ first: NOON + i * 60_000, last: NOON + i * 60_000 + 5000, deviceid: i % 2 ? 'hall' : 'door' },
      });
    await gallery.updatePerson('staff-hana', { username: '佐藤 花子' });
    const first = (await get('/api/v1/sightings?limit=3')).body;
    assert.deepEqual(
      first.sightings.map(({ id }) => id),
      [5, 4, 3],
    );
    assert.deepEqual(first.sightings[1].person, {
      ...{ faceid: 'staff-hana', groupid: 'staff', userid: 'hana', username: '佐藤 花子' },
    });
    const { first: begun, last, frames, picture, isOpen } = first.sightings[2];
    assert.deepEqual(
      [begun, last, frames, picture, isOpen],
      ['2026-11-27T12:02:00.000Z', '2026-11-27T12:02:05.000Z', 10, '/api/v1/sightings/3/picture', false],
    );
    const second = (await get(`/api/v1/sightings?limit=3&after=${first.next}`)).body;
    assert.deepEqual([second.sightings.map(({ id }) => id), second.next], [[2, 1], null]);
    for (const [query, ids] of [
      ['faceid=staff-hana', [4, 1]],
      ['groupid=default', [5, 2]],
      ['deviceid=hall', [4, 2]],
      ['unknown=true', [3]],
      ['unknown=false&deviceid=door', [5, 1]],
      ['from=2026-11-27T12:01:03Z&to=2026-11-27T12:02:00Z', [2]],
    ] as const) {
      const { body } = await get(`/api/v1/sightings?${query}`);
      assert.deepEqual(
        body.sightings.map(({ id }) => id),
        ids,
        query,
      );
    }
    assert.deepEqual((await get('/api/v1/sightings/cameras')).body.deviceids, ['door', 'hall']);
    const wrong = await Promise.all(
      ['from=yesterday', 'after=x', 'unknown=perhaps', 'limit=0', 'door=1'].map((query) =>
        get(`/api/v1/sightings?${query}`),
      ),
    );
    assert.deepEqual(
      wrong.map(({ status }) => status),
      [400, 400, 400, 400, 400],
    );
    assert.equal((await get('/api/v1/sightings?groupid=none')).status, 404);
  });

  it('is a file for a spreadsheet, without formulas, in any script, and audited', async (t) => {
    const test = await kept(t);
    await test.keep('w.1', 'staff-hana');
    await test.keep('w.2', 'default-ken', { last: NOON + 90_000 });
    const answer = await test.app.inject('/api/v1/sightings?format=csv');
    assert.match(String(answer.headers['content-type']), /^text\/csv/);
    assert.match(String(answer.headers['content-disposition']), /filename="sightings.csv"/);
    const lines = answer.body.split('\r\n');
    assert.equal(
      lines[0],
      '\uFEFFid,first,last,seconds,deviceid,faceid,groupid,userid,username,unknown,frames,distance',
    );
    assert.equal(
      lines[1],
      "2,2026-11-27T12:00:00.000Z,2026-11-27T12:01:30.000Z,90,door,default-ken,default,ken,'=1+1,,10,0.2",
    );
    assert.match(lines[2], /,山田 花子,/);
    assert.deepEqual(lines.slice(3), ['']);
    const exports = async () => (await readAudit(test)).filter(({ action }) => action === 'export');
    await until(async () => (await exports()).length === 2);
    const exported = await exports();
    assert.deepEqual(
      exported.map(({ outcome }) => outcome),
      ['begun', 'done'],
    );
  });

  it('shows each key the people of its groups, and strangers to administrators of all groups alone', async (t) => {
    const { get, keep, config, app } = await kept(t, { AUTH: 'key' });
    const keys = createKeys({ file: config.KEYS_FILE });
    const add = async (name: string, role: 'recognise' | 'enrol' | 'admin', groups?: string[]) =>
      (await keys.add({ name, role, ...(groups && { groups }) })).key;
    const ids = {
      hana: await keep('w.1', 'staff-hana'),
      ken: await keep('w.2', 'default-ken'),
      stranger: await keep('w.3', undefined),
    };
    const all = await add('all', 'admin');
    const door = await add('door', 'recognise');
    const staff = await add('staff', 'admin', ['staff']);
    assert.deepEqual(
      namesOf((await get('/api/v1/sightings', all)).body),
      ['default-ken', null, 'staff-hana'].sort(),
    );
    const seen = (await get('/api/v1/sightings', door)).body;
    assert.deepEqual(
      [namesOf(seen), seen.sightings.map(({ picture }) => picture)],
      [
        ['default-ken', 'staff-hana'],
        [null, null],
      ],
    );
    assert.deepEqual(namesOf((await get('/api/v1/sightings', staff)).body), ['staff-hana']);
    const status = async (url: string, key: string, method: 'GET' | 'DELETE' = 'GET') =>
      (await app.inject({ method, url, headers: { 'x-api-key': key } })).statusCode;
    for (const [url, key, expected] of [
      ['/api/v1/sightings?unknown=true', door, 403],
      ['/api/v1/sightings?unknown=u-1', staff, 403],
      ['/api/v1/sightings?groupid=default', staff, 403],
      ['/api/v1/sightings?faceid=default-ken', staff, 403],
      [`/api/v1/sightings/${ids.ken}`, staff, 404],
      [`/api/v1/sightings/${ids.stranger}`, staff, 404],
      [`/api/v1/sightings/${ids.stranger}/picture`, door, 403],
      [`/api/v1/sightings/${ids.hana}/picture`, staff, 200],
      ['/api/v1/sightings', '', 401],
    ] as const)
      assert.equal(await status(url, key), expected, url);
    assert.equal(await status(`/api/v1/sightings/${ids.ken}`, staff, 'DELETE'), 404);
    assert.equal(await status(`/api/v1/sightings/${ids.hana}`, door, 'DELETE'), 403);
    assert.equal(await status(`/api/v1/sightings/${ids.hana}`, staff, 'DELETE'), 204);
    assert.equal(await status(`/api/v1/sightings/${ids.hana}`, all), 404);
  });

  it('says that nobody is kept where sightings are off', async (t) => {
    const { app, vision } = await testApp(t);
    vision.faces = [face()];
    await app.inject({ method: 'POST', url: '/api/v1/recognise', payload: { image: TINY_PICTURE } });
    const answer = await app.inject('/api/v1/sightings');
    assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [404, 'SIGHTINGS_OFF']);
  });
});

describe('a person who is deleted', () => {
  const WAYS: Record<string, { method: 'DELETE'; url: string }> = {
    v1: { method: 'DELETE', url: '/api/v1/people/staff-hana' },
    maiface: { method: 'DELETE', url: '/api/staff/hana' },
    'a whole group': { method: 'DELETE', url: '/api/v1/groups/staff?people=delete' },
    CompreFace: { method: 'DELETE', url: `/api/v1/recognition/subjects/${encodeURIComponent('山田 花子')}` },
  };
  for (const [name, call] of Object.entries(WAYS))
    it(`has no sightings any more when the answer comes (${name})`, async (t) => {
      const { app, vision, sightings, keep, get } = await kept(t, { COMPREFACE_GROUP: 'staff' });
      await keep('w.1', 'staff-hana');
      await keep('w.2', 'default-ken');
      // And one visit that goes on, not written yet.
      vision.faces = [face()];
      await app.inject({ method: 'POST', url: '/api/v1/recognise', payload: { image: TINY_PICTURE } });
      const answer = await app.inject(call);
      assert.equal(Math.floor(answer.statusCode / 100), 2, answer.body);
      assert.deepEqual(await sightings.store.ask('faceids', '', 9), ['default-ken']);
      await sightings.flush();
      assert.deepEqual(namesOf((await get('/api/v1/sightings')).body), ['default-ken']);
    });

  it('takes nobody else’s sightings along, and one who is moved or merged keeps theirs', async (t) => {
    const { gallery, keep, get, app } = await kept(t);
    await keep('w.1', 'staff-hana');
    await keep('w.2', 'default-ken');
    const patch = {
      method: 'PATCH',
      url: '/api/v1/people/staff-hana',
      payload: { userid: 'hanako' },
    } as const;
    assert.equal((await app.inject(patch)).statusCode, 200);
    assert.deepEqual(namesOf((await get('/api/v1/sightings')).body), ['default-ken', 'staff-hanako']);
    const merge = {
      method: 'POST',
      url: '/api/v1/people/staff-hanako/merge',
      payload: { from: 'default-ken' },
    } as const;
    assert.equal((await app.inject(merge)).statusCode, 200);
    assert.deepEqual(namesOf((await get('/api/v1/sightings')).body), ['staff-hanako', 'staff-hanako']);
    await gallery.remove('staff', 'hanako');
    await until(async () => (await get('/api/v1/sightings')).body.sightings.length === 0);
  });
});

/** Reads events off a connection, each with its position. */
async function follow(
  { app }: Pick<TestApp, 'app'>,
  url = '/api/v1/events',
  headers: Record<string, string> = {},
) {
  const answer = await app.inject({ url, headers, payloadAsStream: true });
  const stream: Readable = answer.stream();
  stream.setEncoding('utf8');
  let text = '';
  stream.on('data', (chunk: string) => (text += chunk));
  const events = () =>
    [...text.matchAll(/(?:id: (.*)\n)?event: (.*)\ndata: (.*)\n\n/g)].map(([, id, kind, data]) => ({
      ...{ id, kind, data: JSON.parse(data) as Record<string, unknown> },
    }));
  return {
    events,
    position: () => [...text.matchAll(/id: (.*)\n/g)].at(-1)?.[1] ?? '',
    status: answer.statusCode,
    async close() {
      stream.destroy();
      await once(stream, 'close');
    },
  };
}

describe('the position of an event', () => {
  async function withLog(t: TestContext) {
    const folder = await temporaryFolder(t);
    const log = createFileLog({ folder });
    t.after(() => log.close());
    const info = () =>
      ({ log: 'file', behind: 0, manager: 'running', trouble: null, pid: undefined }) as const;
    const events = { info, pack: 'tiny', follow: log.follow.bind(log) };
    const test = await kept(t, {}, { events });
    let uid = 0;
    test.gallery.subscribe(
      (change) => void log.append({ ...change, uid: `${uid++}`, worker: 'w', pack: 'tiny' }),
    );
    return { ...test, log };
  }

  it('lets a client that was away take up where it stopped, without a gap or a double', async (t) => {
    const test = await withLog(t);
    const { gallery, keep } = test;
    const first = await follow(test);
    await until(() => /^.+~\d+$/.test(first.position()));
    await gallery.enrol({ groupid: 'default', userid: 'mei' }, unitVector(1));
    await keep('w.1', 'staff-hana');
    await until(() => first.events().length === 3);
    assert.deepEqual(
      first
        .events()
        .map(({ kind }) => kind)
        .sort(),
      ['arrived', 'enrolled', 'left'],
    );
    assert.equal(
      (first.events().find(({ kind }) => kind === 'arrived')?.data.person as { username: string }).username,
      '山田 花子',
    );
    const position = first.position();
    await first.close();

    // While it is away.
    await gallery.remove('default', 'mei');
    await keep('w.2', undefined, { first: NOON + 60_000, last: NOON + 65_000 });
    const urls = [`/api/v1/events?after=${encodeURIComponent(position)}`, '/api/v1/events'] as const;
    for (const [i, url] of urls.entries()) {
      const again = await follow(test, url, i === 1 ? { 'last-event-id': position } : {});
      await until(() => again.events().length >= 2);
      assert.deepEqual(
        again
          .events()
          .map(({ kind }) => kind)
          .sort(),
        ['deleted', 'unknown'],
      );
      await again.close();
    }
    assert.equal((await test.app.inject('/api/v1/events?after=nonsense')).statusCode, 400);
  });

  it('tells a client that was away too long that something is lost', async (t) => {
    const test = await withLog(t);
    await test.keep('w.1', 'staff-hana');
    await test.sightings.store.ask('trimHappenings', Date.now() + 86_400_000, 100);
    const away = await follow(test, `/api/v1/events?after=${encodeURIComponent('9-77~0')}`);
    await until(() => away.events().length === 2);
    assert.deepEqual(
      away.events().map(({ kind }) => kind),
      ['lost', 'lost'],
    );
    assert.match(away.position(), /^1-\d+~2$/);
    await away.close();
  });

  it('shows a tied key its own people only, and no stranger', async (t) => {
    const test = await kept(t, { AUTH: 'key' });
    const { key } = await createKeys({ file: test.config.KEYS_FILE }).add({
      name: 'staff',
      role: 'admin',
      groups: ['staff'],
    });
    const events = await follow(test, '/api/v1/events', { 'x-api-key': key });
    await until(() => events.position() !== '');
    await test.keep('w.1', 'default-ken');
    await test.keep('w.2', undefined);
    await test.keep('w.3', 'staff-hana', { deviceid: 'hall' });
    await until(() => events.events().length === 2);
    assert.deepEqual(
      events.events().map(({ kind, data }) => [kind, (data.person as { faceid: string }).faceid]),
      [
        ['arrived', 'staff-hana'],
        ['left', 'staff-hana'],
      ],
    );
    await events.close();
  });
});
