/**
 * Two workers of one store, of which one has not heard yet what the other did: nobody is refused for that, on any surface.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { imageIdOf } from '../../src/http/compreface/image-ids.js';
import { TINY_PICTURE } from '../../src/http/intake/pictures.js';
import type { GalleryEvent } from '../../src/events/event.js';
import { createGallery, type LiveGallery } from '../../src/gallery/gallery.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import type { Face } from '../../src/gallery/types.js';
import { face, PACK, testApp, unitVector } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { temporaryFolder } from '../support/temporary.js';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
interface Row {
  what: string;
  method: Method;
  url: string | ((ada: Face) => string);
  payload?: object;
  /** A picture in a form, with these fields. */
  fields?: [string, string][];
  status: number;
  body?: RegExp;
  before?: (there: LiveGallery) => Promise<unknown>;
}

const LENGTH = 4;
const PATIENCE = { timeout: 60_000 };

/** The app over one gallery, and another gallery of the same store; nothing is told from one to the other. */
async function two(t: TestContext) {
  const folder = await temporaryFolder(t);
  const done: GalleryEvent[] = [];
  const open = (catchUp?: () => Promise<void>) =>
    createGallery({
      ...{ pack: PACK.id, index: createExactIndex(LENGTH), templates: true, catchUp },
      store: createFileStore({ folder, pack: PACK.id, length: LENGTH, warn: () => undefined }),
    });
  // What is known by no ID in the store is found by reading the log.
  const here: LiveGallery = await open(async () => {
    for (const event of done.splice(0)) await here.apply(event);
  });
  const there = await open();
  there.subscribe((change) =>
    done.push({ ...change, uid: `${done.length} ${change.kind}`, worker: 'there', pack: PACK.id }),
  );
  const settings = { COMPREFACE_GROUP: 'staff', KEEP_FACES: true, DOUBLE_REGISTRATION_SECONDS: 0 };
  const test = await testApp(t, settings, { gallery: here });
  t.after(() => Promise.all([here.close(), there.close()]));
  return { ...test, here, there };
}

/** Ada, with a picture that was kept, and Bob, in a group of their own. */
async function enrolBoth(gallery: LiveGallery): Promise<Face> {
  await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
  const ada = { groupid: 'staff', userid: 'ada', username: 'Ada' };
  const enrolled = await gallery.enrol({ ...ada, crop: Buffer.from('a PNG') }, unitVector(0));
  await gallery.enrol({ groupid: 'staff', userid: 'bob', username: 'Bob Lee' }, unitVector(1.5));
  return enrolled;
}

const FACES = '/api/v1/recognition/faces';
const SUBJECTS = '/api/v1/recognition/subjects';
const PERSON = '/api/v1/people/staff-ada';
const image = TINY_PICTURE;

const UNHEARD: Row[] = [
  { what: 'a person is read', method: 'GET', url: PERSON, status: 200 },
  { what: 'a person is renamed', method: 'PATCH', url: PERSON, payload: { username: 'A' }, status: 200 },
  { what: 'a person is moved', method: 'PATCH', url: PERSON, payload: { groupid: 'default' }, status: 200 },
  { what: 'a person is deleted', method: 'DELETE', url: PERSON, status: 200 },
  {
    ...{ what: 'two are merged', method: 'POST', url: `${PERSON}/merge`, status: 200 },
    payload: { from: 'staff-bob' },
  },
  { what: 'pictures are listed', method: 'GET', url: `${PERSON}/faces`, status: 200, body: /staff-ada_/ },
  { what: 'a picture is enrolled', method: 'POST', url: `${PERSON}/faces`, payload: { image }, status: 201 },
  { what: 'a picture is deleted', method: 'DELETE', url: ({ id }) => `${PERSON}/faces/${id}`, status: 204 },
  { what: 'a picture is read', method: 'GET', url: ({ id }) => `${PERSON}/faces/${id}/picture`, status: 200 },
  {
    ...{ what: 'a person is compared', method: 'POST', url: '/api/v1/verify', status: 200 },
    payload: { probe: { image }, against: { faceid: 'staff-ada' } },
  },
  {
    ...{ what: 'a person is made in a group', method: 'POST', url: '/api/v1/people', status: 201 },
    payload: { groupid: 'staff', userid: 'new' },
  },
  { what: 'a group is listed', method: 'GET', url: '/api/v1/people?group=staff', status: 200 },
  {
    ...{ what: 'a group is searched', method: 'POST', url: '/api/v1/recognise?groups=staff', status: 200 },
    payload: { image },
  },
  { what: 'a group is exported', method: 'GET', url: '/api/v1/export?groups=staff', status: 200 },
  {
    ...{ what: 'a group is renamed', method: 'PATCH', url: '/api/v1/groups/staff', status: 200 },
    payload: { groupname: 'Team' },
  },
  {
    ...{ what: 'a group is deleted that has people', method: 'DELETE', url: '/api/v1/groups/staff' },
    ...{ status: 409, body: /2 people/ },
  },
  {
    what: 'a group is deleted whole',
    method: 'DELETE',
    url: '/api/v1/groups/staff?people=delete',
    status: 200,
  },
  { what: 'maiface reads a person', method: 'GET', url: '/api/faceid_info/staff-ada', status: 200 },
  { what: 'maiface deletes a person', method: 'DELETE', url: '/api/staff/ada', status: 200 },
  {
    ...{ what: 'maiface enrols in a group', method: 'POST', url: '/api/face_register', status: 200 },
    fields: [
      ['userid', 'ada'],
      ['groupid', 'staff'],
    ],
  },
  {
    ...{ what: 'CompreFace renames a subject', method: 'PUT', url: `${SUBJECTS}/Ada`, status: 200 },
    payload: { subject: 'Ann' },
  },
  { what: 'CompreFace deletes a subject', method: 'DELETE', url: `${SUBJECTS}/Ada`, status: 200 },
  {
    ...{ what: 'CompreFace deletes a subject that was renamed', method: 'DELETE', url: `${SUBJECTS}/Zoe` },
    ...{ status: 200, before: (there) => there.updatePerson('staff-ada', { username: 'Zoe' }) },
  },
  {
    what: 'CompreFace deletes all subjects',
    method: 'DELETE',
    url: SUBJECTS,
    status: 200,
    body: /"deleted":2/,
  },
  {
    ...{ what: 'CompreFace lists a subject’s examples', method: 'GET', url: `${FACES}?subject=Ada` },
    ...{ status: 200, body: /"total_elements":1/ },
  },
  {
    ...{ what: 'CompreFace deletes a subject’s examples', method: 'DELETE', url: `${FACES}?subject=Ada` },
    ...{ status: 200, body: /"deleted":1/ },
  },
  {
    ...{ what: 'CompreFace deletes an example', method: 'DELETE', status: 200 },
    url: (ada) => `${FACES}/${imageIdOf(ada)}`,
  },
  {
    ...{ what: 'CompreFace reads an example’s picture', method: 'GET', status: 200 },
    url: (ada) => `${FACES}/${imageIdOf(ada)}/img`,
  },
  {
    ...{ what: 'CompreFace compares with an example', method: 'POST', status: 200 },
    url: (ada) => `/api/v1/recognition/embeddings/faces/${imageIdOf(ada)}/verify`,
    payload: { embeddings: [[1, 0, 0, 0]] },
  },
];

/** `here` knows both; then `before` happens in the other worker. */
const HEARD: Row[] = [
  {
    ...{ what: 'a person is made whom the other has deleted', method: 'POST', url: '/api/v1/people' },
    ...{ payload: { groupid: 'staff', userid: 'ada' }, status: 201 },
    before: (there) => there.remove('staff', 'ada'),
  },
  {
    ...{ what: 'a person takes the ID of one whom the other has deleted', method: 'PATCH', url: PERSON },
    ...{ payload: { userid: 'bob' }, status: 200 },
    before: (there) => there.remove('staff', 'bob'),
  },
  {
    ...{ what: 'a group is made that the other has deleted', method: 'POST', url: '/api/v1/groups' },
    ...{ payload: { groupid: 'staff' }, status: 201 },
    before: (there) => there.removeGroup('staff', { withPeople: true }),
  },
  {
    ...{
      what: 'a group is deleted that the other has emptied',
      method: 'DELETE',
      url: '/api/v1/groups/staff',
    },
    ...{ status: 204 },
    before: async (there) => {
      for (const userid of ['ada', 'bob']) await there.remove('staff', userid);
    },
  },
  {
    ...{ what: 'CompreFace makes a subject that the other has deleted', method: 'POST', url: SUBJECTS },
    ...{ payload: { subject: 'Ada' }, status: 201 },
    before: (there) => there.remove('staff', 'ada'),
  },
  {
    what: 'a person is read whom the other has just made',
    method: 'GET',
    url: '/api/v1/people/staff-new',
    status: 200,
    before: (there) => there.createPerson({ groupid: 'staff', userid: 'new' }),
  },
];

async function ask({ app, vision }: Awaited<ReturnType<typeof two>>, row: Row, ada: Face) {
  vision.faces = [{ ...face(100, 0.01), crop: Buffer.from('a PNG') }];
  const url = typeof row.url === 'string' ? row.url : row.url(ada);
  const body = row.fields ? await form(...row.fields, ['image', await greyJpeg()]) : {};
  const answer = await app.inject({ method: row.method, url, payload: row.payload, ...body });
  assert.equal(answer.statusCode, row.status, answer.body.slice(0, 300));
  if (row.body) assert.match(answer.body, row.body);
}

describe('what another worker did, and this one has not heard of', PATIENCE, () => {
  for (const row of UNHEARD) {
    it(`stands in nobody's way: ${row.what}`, async (t) => {
      const test = await two(t);
      const ada = await enrolBoth(test.there);
      await row.before?.(test.there);
      await ask(test, row, ada);
    });
  }

  for (const row of HEARD) {
    it(`is not held against anybody: ${row.what}`, async (t) => {
      const test = await two(t);
      const ada = await enrolBoth(test.here);
      await test.there.reload();
      assert.equal((await test.app.inject(`${FACES}?size=1`)).statusCode, 200);
      await row.before?.(test.there);
      await ask(test, row, ada);
    });
  }

  it('leaves nobody behind in a group that is deleted', async (t) => {
    const test = await two(t);
    await enrolBoth(test.there);
    await test.here.removeGroup('staff', { withPeople: true });
    await test.there.reload();
    assert.deepEqual(test.there.info().people, 0);
    assert.deepEqual(
      test.there.groups().map(({ groupid }) => groupid),
      ['default'],
    );
  });
});
