import assert from 'node:assert/strict';
import type { Keys } from '../../src/access/keys.js';
import { createSessions } from '../../src/access/sessions.js';
import { TINY_PICTURE } from '../../src/http/intake/pictures.js';
import { imageIdOf } from '../../src/http/compreface/image-ids.js';
import { type TestApp, unitVector } from './app.js';
import { form } from './form.js';
import { greyJpeg } from './pictures.js';
import { bestFace, keepVisit, STRANGER, vote } from './sightings.js';

const JAPANESE = '山田 花子';

/** A call of a route that changes something. */
export interface Call {
  url: string;
  body?: object | Uint8Array;
  headers?: string[];
  action: string;
  /** What the line says of whom, besides more. */
  whom: Record<string, unknown>;
  who?: string;
  /** It looks at a picture or reads an archive, which nobody does for one who has gone. */
  isDropped?: true;
}
/** A call of each route that changes something, with people of its own to change. */
export async function changingCalls(
  test: TestApp & { keys: Keys; key: string },
): Promise<Record<string, Call>> {
  const { app, gallery, keys, key, config } = test;
  const picture = await greyJpeg();
  for (const groupid of ['staff', 'old', 'named', 'cf'])
    await gallery.createGroup({ groupid, groupname: '' });
  const enrol = async (groupid: string, userid: string, username = '', automatic = false) =>
    await gallery.enrol({ groupid, userid, ...(username && { username }), automatic }, unitVector(2));
  for (const name of ['changed', 'moved', 'gone', 'into', 'from', 'gone2']) await enrol('staff', name);
  const lost = await enrol('staff', 'lost');
  await enrol('staff', 'mistaken');
  const { correction } = await gallery.correct('staff-mistaken', unitVector(1));
  const given = await enrol('staff', 'given');
  const automatic = await enrol('staff', 'auto', '', true);
  await enrol('old', 'ann');
  await enrol('cf', 'u1', JAPANESE);
  await enrol('cf', 'u2', '改名前');
  const one = await enrol('cf', 'u3', '一枚');
  const two = await enrol('cf', 'u4', '二枚');
  await enrol('cf', 'u5', '消える');
  const { info: revoked } = await keys.add({ name: 'old door', role: 'recognise' });
  const record = await keys.byId((await keys.verify(key))?.id ?? '');
  assert.ok(record);
  const session = await createSessions({ keys, days: 1 }).begin(record);
  await keys.add({ name: 'page', role: 'admin' });
  const archive = (await app.inject({ url: '/api/v1/export?groups=named', headers: { 'x-api-key': key } }))
    .rawPayload;
  await gallery.removeGroup('named', { withPeople: true });
  assert.ok(test.sightings);
  const sighting = await keepVisit(test.sightings, 'w.1', { votes: [vote('staff-changed')] });
  // Strangers who are like nobody.
  for (const [at, vector] of [
    [0, 0, 1, 0],
    [0, 0, -1, 0],
    [0, 0, 0, 1],
    [0, 0, 0, -1],
  ].entries()) {
    const best = { ...bestFace(), vector: Float32Array.from(vector) };
    await keepVisit(test.sightings, `w.${at + 2}`, { ...STRANGER, best });
  }
  const ignored = await app.inject({
    ...{ method: 'PUT', url: '/api/v1/unknowns/u-4/ignored', headers: { 'x-api-key': key } },
  });
  const { undo } = ignored.json<{ undo: string }>();
  const register = await form(['groupid', 'staff'], ['userid', 'reg'], ['image', picture]);
  const image = TINY_PICTURE;
  assert.equal(config.COMPREFACE_GROUP, 'cf');
  return {
    'POST /api/face_register': {
      ...{ url: '/api/face_register', body: register.payload, action: 'enrol', isDropped: true },
      headers: [`content-type: ${register.headers['content-type']}`],
      whom: { groupid: 'staff', userid: 'reg' },
    },
    'DELETE /api/:groupid/:userid': {
      ...{ url: '/api/staff/gone', action: 'delete', whom: { groupid: 'staff', userid: 'gone' } },
    },
    'POST /api/v1/people': {
      ...{ url: '/api/v1/people', body: { groupid: 'staff', userid: 'new' }, action: 'enrol' },
      whom: { groupid: 'staff', userid: 'new' },
    },
    'PATCH /api/v1/people/:faceid': {
      ...{ url: '/api/v1/people/staff-moved', body: { userid: 'elsewhere' }, action: 'change' },
      whom: { faceid: 'staff-moved', to: 'staff-elsewhere' },
    },
    'DELETE /api/v1/people/:faceid': {
      ...{ url: '/api/v1/people/staff-gone2', action: 'delete', whom: { faceid: 'staff-gone2' } },
    },
    'POST /api/v1/people/:faceid/merge': {
      ...{ url: '/api/v1/people/staff-into/merge', body: { from: 'staff-from' }, action: 'change' },
      whom: { faceid: 'staff-into', from: 'staff-from' },
    },
    'POST /api/v1/people/:faceid/faces': {
      ...{ url: '/api/v1/people/staff-faces/faces?create=true&force=true', body: { image }, action: 'enrol' },
      ...{ whom: { faceid: 'staff-faces' }, isDropped: true },
    },
    'DELETE /api/v1/people/:faceid/faces/:id': {
      ...{ url: `/api/v1/people/staff-lost/faces/${lost.id}`, action: 'delete' },
      whom: { faceid: 'staff-lost', id: lost.id },
    },
    'POST /api/v1/corrections': {
      ...{ url: '/api/v1/corrections', body: { faceid: 'staff-mistaken', image }, action: 'change' },
      ...{ whom: { faceid: 'staff-mistaken' }, isDropped: true },
    },
    'DELETE /api/v1/corrections/:id': {
      ...{ url: `/api/v1/corrections/${correction.id}`, action: 'delete' },
      whom: { id: correction.id },
    },
    'POST /api/v1/people/:faceid/faces/:id/move': {
      ...{ url: `/api/v1/people/staff-given/faces/${given.id}/move`, body: { to: 'staff-into' } },
      ...{ action: 'change', whom: { faceid: 'staff-given', id: given.id, to: 'staff-into' } },
    },
    'PUT /api/v1/threshold': {
      ...{ url: '/api/v1/threshold', body: { identical: 0.4 }, action: 'change' },
      whom: { threshold: '0.4' },
    },
    'DELETE /api/v1/threshold': { url: '/api/v1/threshold', action: 'change', whom: {} },
    'DELETE /api/v1/sightings/:id': {
      ...{ url: `/api/v1/sightings/${sighting}`, action: 'delete', whom: { id: `${sighting}` } },
    },
    'POST /api/v1/unknowns/:id/name': {
      ...{ url: '/api/v1/unknowns/u-1/name', body: { groupid: 'staff', userid: 'known' }, action: 'enrol' },
      whom: { id: 'u-1', groupid: 'staff', userid: 'known' },
    },
    'POST /api/v1/unknowns/:id/same-as': {
      url: '/api/v1/unknowns/u-2/same-as',
      ...{ body: { faceid: 'staff-changed', force: true }, action: 'enrol' },
      whom: { id: 'u-2', faceid: 'staff-changed' },
    },
    'PUT /api/v1/unknowns/:id/ignored': {
      ...{ url: '/api/v1/unknowns/u-3/ignored', action: 'change', whom: { id: 'u-3' } },
    },
    'DELETE /api/v1/unknowns/:id/ignored': {
      ...{ url: '/api/v1/unknowns/u-3/ignored', action: 'change', whom: { id: 'u-3' } },
    },
    'POST /api/v1/unknowns/undo': {
      ...{ url: '/api/v1/unknowns/undo', body: { token: undo }, action: 'change', whom: { id: 'u-4' } },
    },
    'DELETE /api/v1/faces/automatic': {
      ...{ url: '/api/v1/faces/automatic', action: 'delete', whom: { faces: [automatic.id] } },
    },
    'POST /api/v1/groups': {
      ...{ url: '/api/v1/groups', body: { groupid: 'fresh' }, action: 'change', whom: { groupid: 'fresh' } },
    },
    'PATCH /api/v1/groups/:groupid': {
      ...{ url: '/api/v1/groups/staff', body: { groupname: 'Team' }, action: 'change' },
      whom: { groupid: 'staff' },
    },
    'DELETE /api/v1/groups/:groupid': {
      ...{ url: '/api/v1/groups/old?people=delete', action: 'delete' },
      whom: { groupid: 'old', people: ['old-ann'] },
    },
    'POST /api/v1/notices/test': { url: '/api/v1/notices/test', action: 'change', whom: {} },
    'POST /api/v1/import': {
      ...{ url: '/api/v1/import', body: archive, headers: ['content-type: application/zip'] },
      ...{ action: 'import', whom: {}, isDropped: true },
    },
    'POST /api/v1/keys': {
      ...{ url: '/api/v1/keys', body: { name: 'new door', role: 'admin' }, action: 'key added' },
      whom: { name: 'new door', role: 'admin', groups: 'all' },
    },
    'PATCH /api/v1/keys/:id': {
      ...{ url: `/api/v1/keys/${revoked.id}`, body: { groups: ['staff'] }, action: 'key changed' },
      whom: { id: revoked.id, name: 'old door' },
    },
    'POST /api/v1/keys/:id/link': {
      ...{ url: `/api/v1/keys/${revoked.id}/link`, action: 'sign-in link' },
      whom: { id: revoked.id, name: 'old door' },
    },
    'DELETE /api/v1/keys/:id': {
      ...{ url: `/api/v1/keys/${revoked.id}`, action: 'key revoked' },
      whom: { id: revoked.id, name: 'old door' },
    },
    'POST /api/v1/session': {
      ...{ url: '/api/v1/session', body: { key }, action: 'sign in', whom: {} },
    },
    'DELETE /api/v1/session': {
      ...{ url: '/api/v1/session', action: 'sign out', whom: {} },
      headers: [`cookie: kaomon=${session.token}`, `x-csrf-token: ${session.csrf}`],
    },
    'POST /api/v1/recognition/subjects': {
      ...{ url: '/api/v1/recognition/subjects', body: { subject: '新しい人' }, action: 'enrol' },
      whom: { groupid: 'cf', subject: '新しい人' },
    },
    'PUT /api/v1/recognition/subjects/:subject': {
      url: `/api/v1/recognition/subjects/${encodeURIComponent('改名前')}`,
      ...{ body: { subject: '改名後' }, action: 'change' },
      whom: { groupid: 'cf', subject: '改名前', to: '改名後' },
    },
    'DELETE /api/v1/recognition/subjects/:subject': {
      url: `/api/v1/recognition/subjects/${encodeURIComponent(JAPANESE)}`,
      ...{ action: 'delete', whom: { groupid: 'cf', subject: JAPANESE, people: ['cf-u1'] } },
    },
    'POST /api/v1/recognition/faces': {
      url: `/api/v1/recognition/faces?subject=${encodeURIComponent('写真')}`,
      ...{ body: { file: image }, action: 'enrol', isDropped: true },
      whom: { groupid: 'cf', subject: '写真' },
    },
    'DELETE /api/v1/recognition/faces/:image_id': {
      ...{ url: `/api/v1/recognition/faces/${imageIdOf(one)}`, action: 'delete' },
      whom: { groupid: 'cf', image_id: imageIdOf(one), faces: [one.id] },
    },
    'POST /api/v1/recognition/faces/delete': {
      ...{ url: '/api/v1/recognition/faces/delete', body: [imageIdOf(two)], action: 'delete' },
      whom: { groupid: 'cf', faces: [two.id] },
    },
    // The next ones leave nobody.
    'DELETE /api/v1/recognition/faces': {
      url: `/api/v1/recognition/faces?subject=${encodeURIComponent('消える')}`,
      ...{ action: 'delete', whom: { groupid: 'cf', subject: '消える', people: ['cf-u5'] } },
    },
    'DELETE /api/v1/recognition/subjects': {
      ...{ url: '/api/v1/recognition/subjects', action: 'delete', whom: { groupid: 'cf' } },
    },
  };
}
