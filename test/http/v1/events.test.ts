import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { TINY_PICTURE } from '../../../src/http/intake/pictures.js';
import { createAnnouncer } from '../../../src/identity/recognised.js';
import { KaomonError } from '../../../src/platform/errors.js';
import { face, type TestApp, testApp, unitVector } from '../../support/app.js';
import { until } from '../../support/until.js';
import { NOON, part, vote } from '../../support/sightings.js';

/** Reads events off a connection, in order. */
async function follow({ app }: Pick<TestApp, 'app'>, after = '') {
  const url = `/api/v1/events?after=${after}`;
  const answer = await app.inject({ url, payloadAsStream: true });
  const stream: Readable = answer.stream();
  stream.setEncoding('utf8');
  let text = '';
  stream.on('data', (chunk: string) => (text += chunk));
  return {
    answer,
    stream,
    async next(event: string): Promise<Record<string, unknown>> {
      for (;;) {
        const found = new RegExp(`event: ${event}\ndata: (.*)\n\n`).exec(text);
        if (found) {
          text = text.slice(found.index + found[0].length);
          return JSON.parse(found[1]) as Record<string, unknown>;
        }
        await once(stream, 'data', { signal: AbortSignal.timeout(20_000) });
      }
    },
    rest: () => text,
  };
}

describe('GET /api/v1/events', () => {
  it('tells of enrolments, deletions and who is recognised, and ends when the server does', async (t) => {
    const test = await testApp(t);
    const { app, gallery, vision } = test;
    const events = await follow(test);
    assert.equal(events.answer.headers['content-type'], 'text/event-stream');
    await gallery.enrol({ groupid: 'default', userid: 'ken', username: 'Ken' }, unitVector(0));
    const enrolled = await events.next('enrolled');
    const [{ id }] = (await gallery.person('default-ken'))?.faces ?? [];
    assert.deepEqual([enrolled.groupid, enrolled.faceid, enrolled.face], ['default', 'default-ken', id]);
    vision.faces = [face(), face(100, 2)];
    const recognise = () =>
      app.inject({ method: 'POST', url: '/api/v1/recognise', payload: { image: TINY_PICTURE } });
    await recognise();
    await recognise();
    const seen = await events.next('recognised');
    assert.deepEqual([seen.faceid, seen.username], ['default-ken', 'Ken']);
    await gallery.remove('default', 'ken');
    const deleted = await events.next('deleted');
    assert.equal(deleted.faceid, 'default-ken');
    assert.doesNotMatch(events.rest(), /event: recognised/, 'once, not with each frame');
    const ended = once(events.stream, 'end');
    await app.close();
    await ended;
  });

  it('tells of who is recognised by the CompreFace addresses, not of who is only nearest', async (t) => {
    const test = await testApp(t);
    const { app, gallery, vision } = test;
    await gallery.enrol({ groupid: 'default', userid: 'ken', username: 'Ken' }, unitVector(0));
    await gallery.enrol({ groupid: 'default', userid: 'mei', username: 'Mei' }, unitVector(4));
    const events = await follow(test);
    const post = async (what: string, payload: object) => {
      const answer = await app.inject({ method: 'POST', url: `/api/v1/recognition/${what}`, payload });
      assert.equal(answer.statusCode, 200, answer.body);
    };
    // The nearest to the first face is Ken, though nobody would say that it is him.
    for (const distance of [1, 0.01]) {
      vision.faces = [face(100, distance)];
      await post('recognize?prediction_count=2', { file: TINY_PICTURE });
    }
    const seen = await events.next('recognised');
    assert.deepEqual([seen.faceid, seen.username], ['default-ken', 'Ken']);
    assert.ok(Number(seen.distance) < 0.02, 'the second picture, not the first');
    await post('embeddings/recognize', { embeddings: [[...unitVector(4)]] });
    assert.equal((await events.next('recognised')).faceid, 'default-mei');
  });
});

describe('sightings among the events', () => {
  it('are told once, in order, when the gallery cannot be asked in the middle of them', async (t) => {
    const test = await testApp(t, { SIGHTINGS: true });
    const { gallery, sightings } = test;
    assert.ok(sightings);
    for (const userid of ['ada', 'ken']) await gallery.createPerson({ groupid: 'default', userid });
    const events = await follow(test);
    await until(() => events.rest().includes('~0\n: here'));
    const ask = gallery.person.bind(gallery);
    let refused = 0;
    gallery.person = (faceid) =>
      faceid === 'default-ken' && refused++ < 2
        ? Promise.reject(new KaomonError('STORE_UNAVAILABLE', 'Redis is away.'))
        : ask(faceid);
    const parts = ['ada', 'ken'].map((userid) => part(userid, { votes: [vote(`default-${userid}`)] }));
    await sightings.store.ask('writeParts', parts, NOON);
    // They are looked for once a second.
    await until(() => refused > 2, 20_000);
    const who = async () => ((await events.next('arrived')).person as { userid: string }).userid;
    assert.deepEqual([await who(), await who()], ['ada', 'ken']);
  });
});

describe('who comes back to the events', () => {
  it('is told that some may be lost where the server had not said yet what was sent', async (t) => {
    const test = await testApp(t, { SIGHTINGS: true });
    const isNew = await follow(test);
    await until(() => isNew.rest().includes('~0\n: here'));
    assert.doesNotMatch(isNew.rest(), /event: lost/);
    // Of one who was cut off while the sightings could not be read.
    const isBack = await follow(test, '1-2048~');
    await isBack.next('lost');
    const knew = await follow(test, '1-2048~0');
    await until(() => knew.rest().includes('~0\n: here'));
    assert.doesNotMatch(knew.rest(), /event: lost/);
  });
});

describe('announcements', () => {
  it('announce a person again after ten seconds, whatever the clock is set to', () => {
    let now = 0;
    // The clock of the wall is set back by a day meanwhile.
    const day = 86_400_000;
    const announcer = createAnnouncer(
      () => now,
      () => new Date(now < 5000 ? 2 * day : day),
    );
    const seen: string[] = [];
    const person = { faceid: 'g-a', groupid: 'g', userid: 'a', username: 'A', metadata: {}, faces: [] };
    const match = {
      person,
      face: { id: 'f', faceid: 'g-a', enrolledAt: '', automatic: false, hasPicture: false },
      distance: 0.1,
      odds: undefined,
    };
    const end = announcer.subscribe(({ at }) => seen.push(at));
    for (now of [0, 5000, 9999, 10_000, 12_000]) announcer.announce([{ match }, { match: undefined }]);
    assert.deepEqual(seen, [new Date(2 * day).toISOString(), new Date(day).toISOString()]);
    end();
    now = 50_000;
    announcer.announce([{ match }]);
    assert.equal(seen.length, 2);
  });
});
