import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../../src/access/keys.js';
import { TINY_PICTURE } from '../../../src/http/intake/pictures.js';
import { face, type ScriptedVision, testApp, unitVector } from '../../support/app.js';
import { form } from '../../support/form.js';
import { greyJpeg } from '../../support/pictures.js';
import { everybody } from '../../support/galleries.js';

type Body = Record<string, unknown> & { code: string; results: Record<string, unknown>[] };
type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** Ada (two pictures) in `staff`, Ken (one) and Far (none) in `default`. */
async function people(t: TestContext, settings: Parameters<typeof testApp>[1] = {}) {
  const test = await testApp(t, settings);
  const { app, gallery } = test;
  await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
  await gallery.enrol({ groupid: 'staff', userid: 'ada', username: 'Ａda Lovelace' }, unitVector(0));
  await gallery.enrol({ groupid: 'staff', userid: 'ada' }, unitVector(0.1));
  await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(1.5));
  await gallery.createPerson({ groupid: 'default', userid: 'far', metadata: { room: 12 } });
  const call = async (method: Method, url: string, payload?: object) => {
    const answer = await app.inject({ method, url: `/api/v1${url}`, ...(payload && { payload }) });
    const body = answer.statusCode === 204 ? ({} as Body) : answer.json<Body>();
    return { status: answer.statusCode, body };
  };
  return { ...test, call };
}

/** Each picture's face is a little unlike the one before. */
function changing(vision: ScriptedVision): void {
  const analyze = vision.analyze.bind(vision);
  let count = 0;
  vision.analyze = (...asked) => {
    vision.faces = [face(100, 0.01 * ++count)];
    return analyze(...asked);
  };
}

describe('/api/v1/people', () => {
  it('lists them by faceid, a page at a time, searched and by group', async (t) => {
    const { call } = await people(t);
    const list = async (query: string) => {
      const { status, body } = await call('GET', `/people${query}`);
      assert.equal(status, 200);
      return [body.total, (body.people as { faceid: string }[]).map(({ faceid }) => faceid)];
    };
    assert.deepEqual(await list(''), [3, ['default-far', 'default-ken', 'staff-ada']]);
    assert.deepEqual(await list('?limit=1&offset=1'), [3, ['default-ken']]);
    assert.deepEqual(await list('?offset=7'), [3, []]);
    assert.deepEqual(await list('?group=staff'), [1, ['staff-ada']]);
    assert.deepEqual(await list('?search=LOVE'), [1, ['staff-ada']]);
    assert.deepEqual(await list('?search=ada%20l'), [1, ['staff-ada']], 'full-width letters are letters');
    assert.deepEqual(await list('?search=ken&group=staff'), [0, []]);
    assert.deepEqual(await list('?pictures=none'), [1, ['default-far']]);
    assert.deepEqual(await list('?pictures=some'), [2, ['default-ken', 'staff-ada']]);
    assert.deepEqual(await list('?search=%C3%A4da'), [1, ['staff-ada']], 'with an accent or without');
    for (const [query, status] of [
      ['?group=nobody', 404],
      ['?limit=0', 400],
      ['?limit=1001', 400],
      ['?offset=-1', 400],
      ['?page=2', 400],
    ] as const) {
      assert.equal((await call('GET', `/people${query}`)).status, status, query);
    }
  });

  it('lists them by name, by the date of the first picture and by the number of pictures', async (t) => {
    const { call, gallery } = await people(t);
    await gallery.updatePerson('default-far', { username: 'Áaron' });
    const at = new Date('2020-01-01T00:00:00Z');
    await gallery.enrol({ groupid: 'default', userid: 'old', username: 'アン', at }, unitVector(1.8));
    const list = async (query: string) => {
      const { status, body } = await call('GET', `/people${query}`);
      assert.equal(status, 200, query);
      assert.equal(body.next, undefined, query);
      return [body.total, (body.people as { userid: string }[]).map(({ userid }) => userid)];
    };
    assert.deepEqual(await list('?sort=name'), [4, ['far', 'ada', 'ken', 'old']], 'an accent is no letter');
    assert.deepEqual(await list('?sort=faces'), [4, ['ada', 'ken', 'old', 'far']]);
    const [, newest] = await list('?sort=newest');
    assert.deepEqual((newest as string[]).slice(2), ['old', 'far'], 'those without a picture last');
    assert.deepEqual(await list('?sort=name&limit=2&offset=1'), [4, ['ada', 'ken']]);
    assert.deepEqual(await list('?sort=name&offset=9'), [4, []]);
    assert.deepEqual(await list('?sort=name&group=default&pictures=some'), [2, ['ken', 'old']]);
    assert.deepEqual(await list('?sort=faces&search=a'), [2, ['ada', 'far']]);
    const byId = await call('GET', '/people?sort=id&limit=1&after=default-far');
    assert.deepEqual([byId.status, byId.body.next], [200, 'default-ken']);
    const refused = await call('GET', '/people?sort=name&after=default-far');
    assert.deepEqual([refused.status, refused.body.code], [400, 'FIELD_INVALID']);
    assert.equal((await call('GET', '/people?sort=age')).status, 400);
  });

  it('creates, reads, changes, moves, merges and deletes', async (t) => {
    const { call, gallery } = await people(t);
    const made = await call('POST', '/people', {
      groupid: 'staff',
      userid: 'grace',
      username: ' Grace ',
      metadata: { floor: 3, key: null },
    });
    assert.deepEqual(
      [made.status, made.body],
      [
        201,
        {
          ...{ faceid: 'staff-grace', groupid: 'staff', userid: 'grace', username: 'Grace' },
          ...{
            metadata: { floor: 3, key: null },
            consent: null,
            faces: 0,
            enrolledAt: null,
            thumbnail: null,
          },
        },
      ],
    );
    assert.deepEqual((await call('GET', '/people/staff-grace')).body, made.body);
    const changed = await call('PATCH', '/people/staff-grace', { metadata: { floor: 4 } });
    assert.deepEqual([changed.body.username, changed.body.metadata], ['Grace', { floor: 4 }]);
    const moved = await call('PATCH', '/people/staff-ada', { groupid: 'default', username: 'Ada' });
    assert.deepEqual(
      [moved.status, moved.body.faceid, moved.body.username, moved.body.faces],
      [200, 'default-ada', 'Ada', 2],
    );
    assert.equal(await gallery.person('staff-ada'), undefined);
    const merged = await call('POST', '/people/default-ken/merge', { from: 'default-ada' });
    assert.deepEqual([merged.status, merged.body.faces], [200, 3]);
    assert.equal((await call('DELETE', '/people/default-ken')).status, 200);
    assert.equal((await call('GET', '/people/default-ken')).body.code, 'PERSON_UNKNOWN');
    assert.equal(gallery.info().faces, 0);
  });

  it('refuses what does not fit, and changes nothing', async (t) => {
    const { call, gallery } = await people(t);
    const before = JSON.stringify(await everybody(gallery));
    const cases: [Method, string, object | undefined, number, string][] = [
      ['POST', '/people', { groupid: 'staff', userid: 'ada' }, 409, 'PERSON_EXISTS'],
      ['POST', '/people', { groupid: 'none', userid: 'ada' }, 404, 'GROUP_UNKNOWN'],
      ['POST', '/people', { groupid: 'staff', userid: 'a-b' }, 400, 'USERID_INVALID'],
      ['POST', '/people', { groupid: 'staff' }, 400, 'FIELD_MISSING'],
      ['POST', '/people', { groupid: 'staff', userid: 'x', metadata: { a: { b: 1 } } }, 400, 'FIELD_INVALID'],
      ['POST', '/people', { groupid: 'staff', userid: 'x', admin: true }, 400, 'FIELD_INVALID'],
      ['PATCH', '/people/staff-ada', {}, 400, 'FIELD_INVALID'],
      ['PATCH', '/people/staff-ada', { groupid: 'none', username: 'X' }, 404, 'GROUP_UNKNOWN'],
      ['PATCH', '/people/default-far', { userid: 'ken', username: 'X' }, 409, 'PERSON_EXISTS'],
      ['PATCH', '/people/staff-ada', { groupid: 'default', username: 'A\u202eda' }, 400, 'FIELD_INVALID'],
      ['PATCH', '/people/staff-none', { username: 'x' }, 404, 'PERSON_UNKNOWN'],
      ['POST', '/people/staff-ada/merge', { from: 'staff-none' }, 404, 'PERSON_UNKNOWN'],
      ['DELETE', '/people/no', undefined, 404, 'PERSON_UNKNOWN'],
      ['DELETE', '/people/staff-ada/faces/none', undefined, 404, 'FACE_UNKNOWN'],
    ];
    for (const [method, url, payload, status, code] of cases) {
      const answer = await call(method, url, payload);
      assert.deepEqual([answer.status, answer.body.code], [status, code], `${method} ${url}`);
    }
    assert.equal(JSON.stringify(await everybody(gallery)), before);
  });
});

describe('/api/v1/people/:faceid/faces', () => {
  it('enrols several pictures in order, lists them, deletes one', async (t) => {
    const { app, vision, gallery, call } = await people(t);
    changing(vision);
    const parts = await form(
      ['username', 'Ada L.'],
      ['image', await greyJpeg(64)],
      ['image', Buffer.from('no')],
      ['image', await greyJpeg(65)],
    );
    const url = '/api/v1/people/staff-ada/faces';
    const answer = await app.inject({ method: 'POST', url, ...parts });
    assert.equal(answer.statusCode, 201, answer.body);
    const { results } = answer.json<Body>();
    assert.deepEqual(
      results.map(({ status }) => status),
      ['enrolled', 'refused', 'enrolled'],
    );
    assert.equal((results[1].error as { code: string }).code, 'IMAGE_FORMAT_UNKNOWN');
    assert.equal((await gallery.person('staff-ada'))?.username, 'Ada L.');
    const list = (await call('GET', '/people/staff-ada/faces')).body as unknown as { id: string }[];
    assert.equal(list.length, 4);
    assert.deepEqual(Object.keys(list[0]), ['id', 'enrolledAt', 'automatic', 'picture']);
    assert.equal((await call('DELETE', `/people/staff-ada/faces/${list[0].id}`)).status, 204);
    assert.equal((await gallery.person('staff-ada'))?.faces.length, 3);
  });

  it('creates the person only when asked, and answers the refusal of the first when none is enrolled', async (t) => {
    const { vision, call, gallery } = await people(t);
    vision.faces = [face(100, 3.5)];
    const image = TINY_PICTURE;
    const none = await call('POST', '/people/staff-new/faces', { image });
    assert.deepEqual([none.status, none.body.code], [404, 'PERSON_UNKNOWN']);
    const made = await call('POST', '/people/staff-new/faces?create=true&username=New', { image });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    assert.equal((await gallery.person('staff-new'))?.username, 'New');
    vision.faces = [];
    const other = (await greyJpeg()).toString('base64');
    const refused = await call('POST', '/people/staff-new/faces', { images: [other, other] });
    assert.deepEqual([refused.status, refused.body.code, refused.body.results.length], [422, 'NO_FACE', 2]);
    const strange = await call('POST', '/people/staff/faces?create=true', { image });
    assert.equal(strange.body.code, 'PERSON_UNKNOWN');
    const group = await call('POST', '/people/none-x/faces?create=true', { image });
    assert.equal(group.body.code, 'GROUP_UNKNOWN');
    assert.equal((await call('POST', '/people/staff-ada/faces', {})).body.code, 'IMAGE_MISSING');
  });

  it('refuses a face of somebody else unless it is forced', async (t) => {
    const { vision, call, gallery } = await people(t);
    vision.faces = [face(100, 0.05)];
    const image = TINY_PICTURE;
    const refused = await call('POST', '/people/default-ken/faces', { image });
    assert.deepEqual([refused.status, refused.body.code], [409, 'OTHER_PERSON']);
    assert.equal((refused.body.details as { faceid: string }).faceid, 'staff-ada');
    const forced = await call('POST', '/people/default-ken/faces?force=true', { image });
    assert.equal(forced.status, 201);
    assert.equal((await gallery.person('default-ken'))?.faces.length, 2);
    // Now that it is known to be Ken's, too, it is nobody else's.
    vision.faces = [face(100, 0.051)];
    const next = (await greyJpeg()).toString('base64');
    assert.equal((await call('POST', '/people/default-ken/faces', { image: next })).status, 201);
  });

  it('says by how much a face is too blurred or turned', async (t) => {
    const { vision, call } = await people(t, { MIN_SHARPNESS: 10, MAX_YAW: 30, MAX_PITCH: 20, MAX_ROLL: 10 });
    const quality = { size: 100, sharpness: 50, brightness: 100, yaw: 0, pitch: 0, roll: 0 };
    const cases: [change: object, code: string, details: object][] = [
      [{ sharpness: 9.94 }, 'FACE_BLURRED', { sharpness: 9.9, minimum: 10 }],
      [{ yaw: -30.6 }, 'FACE_TURNED', { axis: 'yaw', degrees: -31, maximum: 30 }],
      [{ pitch: 25 }, 'FACE_TURNED', { axis: 'pitch', degrees: 25, maximum: 20 }],
      [{ roll: 11 }, 'FACE_TURNED', { axis: 'roll', degrees: 11, maximum: 10 }],
    ];
    for (const [change, code, details] of cases) {
      vision.faces = [{ ...face(), quality: { ...quality, ...change } }];
      const { status, body } = await call('POST', '/people/staff-ada/faces', { image: TINY_PICTURE });
      assert.deepEqual([status, body.code, body.details], [422, code, details]);
    }
    vision.faces = [
      { ...face(100, 0.01), quality: { ...quality, sharpness: 10, yaw: 30, pitch: -20, roll: -10 } },
    ];
    assert.equal((await call('POST', '/people/staff-ada/faces', { image: TINY_PICTURE })).status, 201);
  });

  it('keeps a thumbnail where it is set to, and shows it', async (t) => {
    const { app, vision, call } = await people(t, { KEEP_FACES: true });
    vision.faces = [{ ...face(100, 0.01), crop: Buffer.from('a PNG') }];
    await call('POST', '/people/staff-ada/faces', { image: TINY_PICTURE });
    const faces = (await call('GET', '/people/staff-ada/faces')).body as unknown as {
      id: string;
      picture: boolean;
    }[];
    const kept = faces.find(({ picture }) => picture);
    const shown = await app.inject(`/api/v1/people/staff-ada/faces/${kept?.id ?? ''}/picture`);
    assert.deepEqual(
      [shown.statusCode, shown.headers['content-type'], shown.body],
      [200, 'image/png', 'a PNG'],
    );
    const address = `/api/v1/people/staff-ada/faces/${kept?.id ?? ''}/picture`;
    assert.equal((await call('GET', '/people/staff-ada')).body.thumbnail, address);
    const listed = (await call('GET', '/people')).body.people as { thumbnail: string | null }[];
    assert.deepEqual(
      listed.map(({ thumbnail }) => thumbnail),
      [null, null, address],
    );
    // By the picture that has none, too: the person has another.
    vision.faces = [face(100, 0)];
    const seen = (await call('POST', '/recognise', { image: TINY_PICTURE })).body as unknown as {
      faces: { matches: { face: string; thumbnail: string | null }[] }[];
    };
    const [match] = seen.faces[0].matches;
    assert.notEqual(match.face, kept?.id);
    assert.equal(match.thumbnail, address);
    const other = faces.find(({ picture }) => !picture);
    const missing = await call('GET', `/people/staff-ada/faces/${other?.id ?? ''}/picture`);
    assert.deepEqual([missing.status, missing.body.code], [404, 'FACE_UNKNOWN']);
  });
});

describe('thumbnails', () => {
  it('are offered to those alone who may see faces, and health says whether they are kept', async (t) => {
    const test = await people(t, { AUTH: 'key' });
    const { app, config, gallery, vision } = test;
    const enrolment = { groupid: 'staff', userid: 'ada', crop: Buffer.from('a PNG') };
    const { id } = await gallery.enrol(enrolment, unitVector(0.05));
    const address = `/api/v1/people/staff-ada/faces/${id}/picture`;
    vision.faces = [face(100, 0.05)];
    const keys = createKeys({ file: config.KEYS_FILE });
    for (const [role, shown, status] of [
      ['recognise', null, 403],
      ['enrol', address, 200],
    ] as const) {
      const headers = { 'x-api-key': (await keys.add({ name: role, role })).key };
      const get = async (url: string) => app.inject({ url, headers });
      const person = (await get('/api/v1/people/staff-ada')).json<Body>();
      assert.equal(person.thumbnail, shown, role);
      const payload = { image: TINY_PICTURE };
      const seen = await app.inject({ method: 'POST', url: '/api/v1/recognise', headers, payload });
      const { faces } = seen.json<{ faces: { matches: { thumbnail: string | null }[] }[] }>();
      assert.equal(faces[0].matches[0].thumbnail, shown, role);
      assert.equal((await get(address)).statusCode, status, role);
      assert.equal((await get('/api/v1/health')).json<Body>().keepFaces, false, role);
    }
    assert.equal(
      (await app.inject('/api/v1/health')).json<Body>().keepFaces,
      undefined,
      'strangers learn little',
    );
  });
});

describe('/api/v1/groups/:groupid', () => {
  it('renames, deletes when empty, and with its people when told so', async (t) => {
    const { call, gallery } = await people(t);
    const renamed = await call('PATCH', '/groups/staff', { groupname: ' Team ' });
    assert.deepEqual(renamed.body, { groupid: 'staff', groupname: 'Team' });
    const kept = await call('DELETE', '/groups/staff');
    assert.deepEqual([kept.status, kept.body.code], [409, 'GROUP_NOT_EMPTY']);
    assert.equal((await call('DELETE', '/groups/staff?people=keep')).status, 400);
    assert.equal((await call('DELETE', '/groups/staff?people=delete')).status, 200);
    assert.equal(await gallery.person('staff-ada'), undefined);
    assert.equal((await call('DELETE', '/groups/staff')).status, 404);
  });
});
