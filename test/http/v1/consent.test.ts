import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../../src/access/keys.js';
import { face, testApp, unitVector } from '../../support/app.js';
import { form } from '../../support/form.js';
import { greyJpeg } from '../../support/pictures.js';

const DAY = 86_400_000;
const day = (from: number) => new Date(Date.now() + from * DAY).toISOString().slice(0, 10);
const CONSENT = { given: '2024-05-02', how: 'form', note: 'Folder 12' };

interface Person {
  faceid: string;
  consent: Record<string, string> | null;
  code: string;
  message: string;
}

async function open(t: TestContext, settings: Parameters<typeof testApp>[1] = {}) {
  const test = await testApp(t, settings);
  const { app, vision } = test;
  vision.faces = [{ ...face(100), quality: { size: 100, sharpness: 50, brightness: 100 } }];
  const call = async (
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT',
    url: string,
    payload?: object,
    headers: Record<string, string> = {},
  ) => {
    const answer = await app.inject({ method, url, headers, ...(payload && { payload }) });
    return { status: answer.statusCode, body: (answer.body === '' ? {} : answer.json()) as Person };
  };
  return { ...test, call };
}

describe('a person’s consent', () => {
  it('is recorded with whoever records it, changed, moved with the person, and taken away', async (t) => {
    const test = await open(t, { AUTH: 'key' });
    const keys = createKeys({ file: test.config.KEYS_FILE });
    const { key } = await keys.add({ name: 'front office', role: 'admin' });
    const call = (...[method, url, payload]: Parameters<typeof test.call>) =>
      test.call(method, url, payload, { 'x-api-key': key });
    const until = day(400);
    const made = await call('POST', '/api/v1/people', {
      ...{ groupid: 'default', userid: 'ada', consent: { ...CONSENT, until } },
    });
    const recorded = { ...CONSENT, until, by: 'front office', state: 'valid' };
    assert.deepEqual(made.body.consent, recorded);
    const renamed = await call('PATCH', '/api/v1/people/default-ada', { username: 'Ada' });
    assert.deepEqual(renamed.body.consent, recorded, 'a new name leaves it alone');
    const moved = await call('PATCH', '/api/v1/people/default-ada', { userid: 'ada2' });
    assert.deepEqual(moved.body.consent, recorded);
    const again = await call('PATCH', '/api/v1/people/default-ada2', {
      consent: { given: '2024-05-03', how: 'verbal', until: day(3) },
    });
    assert.deepEqual(again.body.consent, {
      ...{ given: '2024-05-03', how: 'verbal', until: day(3) },
      ...{ by: 'front office', state: 'expiring' },
    });
    const read = await call('GET', '/api/v1/people/default-ada2');
    assert.deepEqual(read.body.consent, again.body.consent, 'as the store has it');
    const none = await call('PATCH', '/api/v1/people/default-ada2', { consent: null });
    assert.equal(none.body.consent, null);
  });

  it('is refused where its days do not exist, or it would be over at once', async (t) => {
    const { call } = await open(t);
    await call('POST', '/api/v1/people', { groupid: 'default', userid: 'ada' });
    for (const [consent, field] of [
      [{ ...CONSENT, given: '2024-02-30' }, 'consent.given'],
      [{ ...CONSENT, given: day(3) }, 'consent.given'],
      [{ ...CONSENT, until: '2033-13-01' }, 'consent.until'],
      [{ ...CONSENT, until: day(-1) }, 'consent.until'],
      [{ ...CONSENT, note: 'a\u0000b' }, 'consent.note'],
    ] as const) {
      const { status, body } = await call('PATCH', '/api/v1/people/default-ada', { consent });
      assert.deepEqual([status, body.code], [400, 'FIELD_INVALID'], JSON.stringify(consent));
      assert.deepEqual((body as unknown as { details: object }).details, { field });
    }
    const odd = await call('PATCH', '/api/v1/people/default-ada', { consent: { ...CONSENT, by: 'me' } });
    assert.equal(odd.status, 400, 'who records it is not the caller’s to say');
    // Today is its last day.
    const last = await call('PATCH', '/api/v1/people/default-ada', {
      consent: { ...CONSENT, until: day(0) },
    });
    assert.equal(last.body.consent?.state, 'expiring');
  });

  it('lists who has none, and whose ends soon', async (t) => {
    const { call } = await open(t);
    for (const [userid, consent] of [
      ['none', undefined],
      ['soon', { ...CONSENT, until: day(20) }],
      ['later', { ...CONSENT, until: day(40) }],
      ['ever', CONSENT],
    ] as const)
      await call('POST', '/api/v1/people', { groupid: 'default', userid, ...(consent && { consent }) });
    const list = async (state: string) => {
      const { body } = await call('GET', `/api/v1/people?consent=${state}&limit=1`);
      const { people, total } = body as unknown as { people: Person[]; total: number };
      return [total, people[0]?.faceid];
    };
    assert.deepEqual(await list('none'), [1, 'default-none']);
    assert.deepEqual(await list('expiring'), [1, 'default-soon']);
    assert.deepEqual(await list('valid'), [2, 'default-ever']);
    assert.deepEqual(await list('over'), [0, undefined]);
  });

  it('comes with the pictures, and is in an archive', async (t) => {
    const { call, app, gallery } = await open(t);
    const url = '/api/v1/people/default-ada/faces?create=true';
    const picture = async () => await form(['image', await greyJpeg()]);
    const half = await app.inject({
      method: 'POST',
      url: `${url}&consentGiven=2024-05-02`,
      ...(await picture()),
    });
    assert.deepEqual([half.statusCode, half.json<Person>().code], [400, 'FIELD_MISSING']);
    const whole = `${url}&consentGiven=2024-05-02&consentHow=electronic&consentUntil=${day(50)}`;
    const enrolled = await app.inject({ method: 'POST', url: whole, ...(await picture()) });
    assert.equal(enrolled.statusCode, 201, enrolled.body);
    const stored = (await gallery.person('default-ada'))?.consent;
    assert.deepEqual([stored?.how, stored?.until], ['electronic', day(50)]);
    const archive = (await app.inject('/api/v1/export')).rawPayload;
    const other = await open(t);
    const imported = await other.app.inject({
      ...{ method: 'POST', url: '/api/v1/import', payload: archive },
      headers: { 'content-type': 'application/zip' },
    });
    assert.equal(imported.statusCode, 200, imported.body);
    assert.deepEqual((await other.gallery.person('default-ada'))?.consent, stored);
    // Whoever is there gets a new one with a picture that they have.
    const later = `${url}&consentGiven=2024-06-01&consentHow=form`;
    await app.inject({ method: 'POST', url: later, ...(await picture()) });
    assert.equal((await call('GET', '/api/v1/people/default-ada')).body.consent?.given, '2024-06-01');
  });

  it('is asked for on every way in, where it is required', async (t) => {
    const { app, gallery, vision } = await open(t, {
      ...{ CONSENT: 'required', DOUBLE_REGISTRATION_SECONDS: 0 },
    });
    const image = ['image', await greyJpeg()] as [string, Buffer];
    const person = [
      ['groupid', 'default'],
      ['userid', 'ada'],
    ] as [string, string][];
    const faces = '/api/v1/people/default-ada/faces?create=true';
    const subject = '/api/v1/recognition/faces?subject=Ada';
    const v1 = async (more = '') =>
      await app.inject({ method: 'POST', url: `${faces}${more}`, ...(await form(image)) });
    const maiface = async () =>
      await app.inject({ method: 'POST', url: '/api/face_register', ...(await form(...person, image)) });
    const compreFace = async () =>
      await app.inject({ method: 'POST', url: subject, ...(await form(['file', image[1]])) });
    const refused = await v1();
    assert.equal(refused.statusCode, 422);
    assert.match(refused.body, /"CONSENT_MISSING".*No consent of this person is recorded/);
    const ofMaiface = await maiface();
    assert.equal(ofMaiface.statusCode, 422);
    assert.match(ofMaiface.body, /"E1001".*No consent/);
    const ofCompreFace = await compreFace();
    assert.equal(ofCompreFace.statusCode, 422);
    assert.match(ofCompreFace.body, /No consent/);
    assert.equal(vision.asked.length, 0, 'nobody is looked at in vain');
    assert.equal(gallery.info().faces, 0);

    assert.equal((await v1('&consentGiven=2024-05-02&consentHow=form')).statusCode, 201);
    vision.faces = [{ ...face(100, 0.05), quality: { size: 100, sharpness: 50, brightness: 100 } }];
    const other = ['image', await greyJpeg(64, 64)] as [string, Buffer];
    const more = await app.inject({
      ...{ method: 'POST', url: '/api/face_register', ...(await form(...person, other)) },
    });
    assert.equal(more.statusCode, 200, `it is recorded now: ${more.body}`);
    await gallery.updatePerson('default-ada', {
      consent: { given: '2020-01-01', how: 'form', until: '2021-01-01', by: 'x' },
    });
    const over = await v1();
    assert.deepEqual(
      [over.statusCode, over.json<Person>().message.slice(0, 36)],
      [422, 'The consent of this person is over: '],
    );

    const from = await open(t);
    await from.gallery.enrol({ groupid: 'default', userid: 'bob' }, unitVector(2));
    const archive = (await from.app.inject('/api/v1/export')).rawPayload;
    const imported = await app.inject({
      ...{ method: 'POST', url: '/api/v1/import', payload: archive },
      headers: { 'content-type': 'application/zip' },
    });
    assert.match(imported.body, /CONSENT_MISSING/);
    assert.equal(await gallery.person('default-bob'), undefined);
  });
});
