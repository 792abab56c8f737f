import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { before, describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../src/access/keys.js';
import type { Config } from '../../src/settings/config.js';
import type { StreamFace } from '../../src/stream/protocol.js';
import { face, type TestApp, testApp, unitVector } from '../support/app.js';
import { greyJpeg } from '../support/pictures.js';
import { openStream, type StreamClient } from '../support/stream-client.js';
import { temporaryFolder } from '../support/temporary.js';

let jpeg: Buffer;
before(async () => (jpeg = await greyJpeg(320, 240)));

interface Stand extends TestApp {
  connect: (headers?: Record<string, string>) => Promise<StreamClient>;
}

async function stand(
  t: TestContext,
  ...rest: [Partial<Config>?, Parameters<typeof testApp>[2]?]
): Promise<Stand> {
  const made = await testApp(t, ...rest);
  for (const groupid of ['staff', 'guests']) await made.gallery.createGroup({ groupid, groupname: groupid });
  await made.app.listen({ host: '127.0.0.1', port: 0 });
  const url = `ws://127.0.0.1:${(made.app.server.address() as AddressInfo).port}/api/v1/stream`;
  return {
    ...made,
    async connect(headers = {}) {
      const client = await openStream(url, { headers });
      t.after(() => client.socket.terminate());
      return client;
    },
  };
}

async function look(client: StreamClient): Promise<StreamFace> {
  const answer = await client.ask(jpeg);
  assert.ok(answer.type === 'frame', JSON.stringify(answer));
  return answer.faces[0];
}

/** Ken stands before a camera, and two of its frames have named him. */
async function kenOnCamera(t: TestContext) {
  const made = await stand(t, { COMPREFACE_GROUP: 'staff' });
  await made.gallery.enrol({ groupid: 'staff', userid: 'ken', username: 'Ken' }, unitVector(0));
  await made.gallery.enrol({ groupid: 'staff', userid: 'other', username: 'Kenneth' }, unitVector(0.3));
  made.vision.faces = [face(100, 0.01)];
  const client = await made.connect();
  assert.equal((await look(client)).faceid, 'staff-ken');
  const { track } = await look(client);
  return { ...made, client, track };
}

describe('a person on camera who gets another name', () => {
  const changes: Record<string, [(made: TestApp) => Promise<unknown>, faceid: string, username: string]> = {
    'is moved': [
      ({ app }) =>
        app.inject({
          method: 'PATCH',
          url: '/api/v1/people/staff-ken',
          payload: { userid: 'kenji', groupid: 'guests' },
        }),
      'guests-kenji',
      'Ken',
    ],
    'is moved twice': [
      async ({ gallery }) => {
        await gallery.movePerson('staff-ken', { groupid: 'staff', userid: 'k2' });
        await gallery.movePerson('staff-k2', { groupid: 'staff', userid: 'k3' });
        // Somebody else is called so now.
        await gallery.createPerson({ groupid: 'staff', userid: 'ken', username: 'Another' });
      },
      'staff-k3',
      'Ken',
    ],
    'is merged': [
      ({ app }) =>
        app.inject({
          method: 'POST',
          url: '/api/v1/people/staff-other/merge',
          payload: { from: 'staff-ken' },
        }),
      'staff-other',
      'Kenneth',
    ],
    'is renamed by CompreFace': [
      ({ app }) =>
        app.inject({
          ...{ method: 'PUT', url: '/api/v1/recognition/subjects/Ken', payload: { subject: 'Ken T.' } },
        }),
      'staff-ken',
      'Ken T.',
    ],
    'is merged by CompreFace': [
      ({ app }) =>
        app.inject({
          ...{ method: 'PUT', url: '/api/v1/recognition/subjects/Ken', payload: { subject: 'Kenneth' } },
        }),
      'staff-other',
      'Kenneth',
    ],
  };
  for (const [what, [change, faceid, username]] of Object.entries(changes)) {
    it(`${what}: the next frame and all after it have the new name, and the track its number`, async (t) => {
      const { client, track, vision, ...made } = await kenOnCamera(t);
      let open: () => void = () => undefined;
      vision.gate = new Promise((resolve) => (open = resolve));
      // One frame is being looked at while it happens.
      const between = look(client);
      await change({ ...made, vision });
      open();
      for (const seen of [await between, ...(await lookOften(client))])
        assert.deepEqual([seen.faceid, seen.username, seen.track], [faceid, username, track]);
    });
  }

  async function lookOften(client: StreamClient): Promise<StreamFace[]> {
    const seen = [];
    // More frames than a track goes without a new embedding.
    for (let i = 0; i < 16; i++) seen.push(await look(client));
    return seen;
  }

  it('is unknown to a stream that may not see where they went, and to all once they are deleted', async (t) => {
    const { client, gallery, connect } = await kenOnCamera(t);
    const narrow = await connect();
    narrow.options({ groups: ['staff'] });
    assert.equal((await look(narrow)).faceid, 'staff-ken');
    await gallery.movePerson('staff-ken', { groupid: 'guests', userid: 'ken' });
    assert.equal((await look(narrow)).faceid, '');
    assert.equal((await look(client)).faceid, 'guests-ken');
    await gallery.remove('guests', 'ken');
    await gallery.remove('staff', 'other');
    assert.equal((await look(client)).faceid, '');
  });
});

describe('the groups that a stream asks for', () => {
  it('are refused when one is not there, is no ID or is not for the key, and nothing is changed by it', async (t) => {
    const keys = createKeys({ file: `${await temporaryFolder(t)}/keys.json` });
    const { key } = await keys.add({ name: 'door', role: 'recognise', groups: ['staff'] });
    const { gallery, vision, connect } = await stand(t, { AUTH: 'key' }, { keys });
    await gallery.enrol({ groupid: 'staff', userid: 'ken' }, unitVector(0));
    vision.faces = [face(100, 0.01)];
    const client = await connect({ 'x-api-key': key });
    const refused = async (groups: string[]) => {
      const before = client.received.length;
      client.options({ groups, quality: true });
      const seen = await look(client);
      assert.equal(seen.faceid, 'staff-ken', 'as before');
      assert.equal(vision.asked.at(-1)?.quality, undefined, 'nothing of a refused message holds');
      return client.received
        .slice(before)
        .flatMap((m) => (m.type === 'error' ? [[m.code, 'frame' in m]] : []));
    };
    assert.deepEqual(await refused(['guests']), [['FORBIDDEN', false]]);
    assert.deepEqual(await refused(['staff', 'no such']), [['GROUPID_INVALID', false]]);
    await gallery.createGroup({ groupid: 'gone', groupname: '' });
    await gallery.removeGroup('gone', { withPeople: false });
    assert.deepEqual(await refused(['gone']), [['FORBIDDEN', false]], 'nor does it tell what is there');
    client.options({ groups: ['staff'] });
    assert.equal((await look(client)).faceid, 'staff-ken');
  });

  it('are said to be unknown', async (t) => {
    const { connect } = await stand(t);
    const client = await connect();
    client.options({ groups: ['staff', 'nosuch'] });
    const { code, message } = await client.told('error');
    assert.equal(code, 'GROUP_UNKNOWN');
    assert.match(message, /nosuch/);
  });

  it('are said to be gone, once, when one is deleted while the stream runs', async (t) => {
    const { gallery, vision, connect } = await stand(t);
    await gallery.enrol({ groupid: 'guests', userid: 'mia' }, unitVector(0));
    vision.faces = [face(100, 0.01)];
    const client = await connect();
    client.options({ groups: ['guests'] });
    assert.equal((await look(client)).faceid, 'guests-mia');
    await gallery.removeGroup('guests', { withPeople: true });
    for (let i = 0; i < 3; i++) assert.equal((await look(client)).faceid, '');
    const errors = client.received.filter(({ type }) => type === 'error');
    assert.deepEqual(
      errors.map((m) => m.type === 'error' && [m.code, 'frame' in m]),
      [['GROUP_UNKNOWN', false]],
    );
    await gallery.createGroup({ groupid: 'guests', groupname: 'Guests' });
    await gallery.enrol({ groupid: 'guests', userid: 'mia' }, unitVector(0));
    client.options({ track: false });
    assert.equal((await look(client)).faceid, 'guests-mia', 'and it goes on when it is there again');
  });
});
