import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { RouteOptions } from 'fastify';
import { LINK_MINUTES } from '../../src/access/links.js';
import { settingsTable } from '../../src/cli/settings.js';
import { deriveId } from '../../src/gallery/ids.js';
import { COMPREFACE_CODES, compreFaceError } from '../../src/http/compreface/format.js';
import { ERROR_CODES, type ErrorCode, KaomonError } from '../../src/platform/errors.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { ensureSelfSigned } from '../../src/platform/tls.js';
import { face, testApp } from '../support/app.js';
import { runKaomon } from '../support/command.js';
import { compreFaceApp, scene } from '../support/compreface.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { temporaryFolder } from '../support/temporary.js';

const plain = (text: string) => text.replaceAll(/\s+/g, ' ');
const read = (name: string) => readFileSync(path.join(PROJECT_ROOT, 'docs', name), 'utf8');
/** A sentence stands in a document, however its lines are broken: what it says is looked at beside it. */
const says = (name: string, sentence: string) =>
  assert.ok(plain(read(name)).includes(sentence), `docs/${name} says "${sentence}"`);
/** Rows of the table whose head begins so, a list of cells each. */
function rowsOf(name: string, head: string): string[][] {
  const lines = read(name).split('\n');
  const first = lines.findIndex((line) => plain(line).startsWith(head));
  assert.ok(first >= 0, `docs/${name} has a table "${head}"`);
  const end = lines.findIndex((line, i) => i > first && !line.startsWith('|'));
  return lines.slice(first + 2, end).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}
const inTicks = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, words]) => words);

describe('docs/access.md', () => {
  it('lists every address that is open without a key', async (t) => {
    const routes: RouteOptions[] = [];
    await testApp(t, { AUTH: 'key' }, { onRoute: (route) => routes.push(route) });
    const open = routes
      .filter(({ url, config }) => config?.access === 'public' && !url.includes('*'))
      // The files of a page.
      .filter(({ url }) => !/^\/(docs\/static\/|assets\/|icon)/.test(url));
    const listed = rowsOf('access.md', '| address | what a caller without').flatMap(([cell]) =>
      inTicks(cell),
    );
    assert.deepEqual(listed.sort(), [...new Set(open.map(({ url }) => url.replace(/(?<=.)\/$/, '')))].sort());
  });

  it('says what the figures of several workers are', () => {
    says('access.md', 'With several workers any of them answers for all: their figures are added up');
    says('production.md', '`/metrics` answers for all workers of the machine, whichever is asked');
  });

  it('says how long a certificate of our own lasts, where it is, and when another is made', async (t) => {
    const folder = await temporaryFolder(t);
    const days = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 86_400_000);
    const at = async (now: Date) =>
      new X509Certificate(
        (await ensureSelfSigned({ folder, names: ['localhost'], addresses: [], now })).cert,
      );
    const made = await at(days(0));
    const lasts = (Date.parse(made.validTo) - Date.parse(made.validFrom)) / 86_400_000;
    says('access.md', `It is valid for ${Math.round(lasts)} days`);
    says('access.md', 'when fewer than 30 days of it are left');
    const end = Date.parse(made.validTo) / 86_400_000 - Date.parse('2026-01-01') / 86_400_000;
    assert.equal((await at(days(end - 31))).serialNumber, made.serialNumber);
    assert.notEqual((await at(days(end - 29))).serialNumber, made.serialNumber);
    says('access.md', '`CACHE_DIR/tls/self-signed.pem`');
    for (const file of ['self-signed.pem', 'certificate.pem'])
      assert.match(readFileSync(path.join(folder, file), 'utf8'), /BEGIN CERTIFICATE/);
  });

  it('says that a key is revoked by its ID, and how long a link works', async (t) => {
    says('access.md', "a revocation wants the key's **ID**, not its name");
    says('access.md', `once, within ${LINK_MINUTES} minutes`);
    const { app } = await testApp(t);
    const made = await app.inject({
      ...{ method: 'POST', url: '/api/v1/keys', payload: { name: 'door', role: 'recognise' } },
    });
    const revoke = async (what: string) =>
      (await app.inject({ method: 'DELETE', url: `/api/v1/keys/${what}` })).statusCode;
    assert.equal(await revoke('door'), 400);
    assert.equal(await revoke(made.json<{ id: string }>().id), 200);
  });
});

describe('docs/api.md', () => {
  const PICTURES = '/api/v1/people/default-ada/faces?create=true';

  it('says in which form one picture of a person is answered, and one that is recognised', async (t) => {
    says('api.md', '`detect`, `recognise` and `embed` answer one picture with its result.');
    says('api.md', 'so are pictures added to a person, even a single one');
    const { app, vision } = await testApp(t);
    vision.faces = [face()];
    const post = async (url: string) =>
      (
        await app.inject({ method: 'POST', url, ...(await form(['image', await greyJpeg()])) })
      ).json<object>();
    assert.deepEqual(Object.keys(await post(PICTURES)), ['results']);
    for (const what of ['detect', 'recognise', 'embed'])
      assert.ok('faces' in (await post(`/api/v1/${what}`)), what);
  });

  it('says what is a missing field and what an ID that does not fit', async (t) => {
    const { app } = await testApp(t);
    const code = async (payload: object) =>
      (await app.inject({ method: 'POST', url: '/api/v1/people', payload })).json<{ code: string }>().code;
    const told = new Map(
      rowsOf('api.md', '| code | status').map(([name, , when]) => [inTicks(name)[0], when]),
    );
    assert.match(told.get('FIELD_MISSING') ?? '', /missing/);
    assert.equal(await code({ groupid: 'default' }), 'FIELD_MISSING');
    assert.equal(await code({ userid: 'ada' }), 'FIELD_MISSING');
    assert.match(told.get('USERID_INVALID') ?? '', /1 to 64 letters/);
    assert.equal(await code({ groupid: 'default', userid: 'a-b' }), 'USERID_INVALID');
    assert.equal(await code({ groupid: '..', userid: 'ada' }), 'GROUPID_INVALID');
    assert.match(told.get('METHOD_NOT_ALLOWED') ?? '', /`Allow` and `details.allowed`/);
    const answer = await app.inject({ method: 'PUT', url: '/api/v1/people' });
    assert.deepEqual([answer.statusCode, answer.headers.allow], [405, 'GET,HEAD,POST']);
  });

  it('says where a second picture of one person is a double click', async (t) => {
    says(
      'api.md',
      'Only here is a second picture of one person within `DOUBLE_REGISTRATION_SECONDS` refused',
    );
    assert.match(settingsTable(), /`DOUBLE_REGISTRATION_SECONDS` .* With maiface's `\/api\/face_register`/);
    const { app, vision } = await compreFaceApp(t);
    const post = async (url: string, height: number, ...fields: [string, string][]) => {
      const picture = await scene('ann', height);
      const name = url.includes('recognition') ? 'file' : 'image';
      return (await app.inject({ method: 'POST', url, ...(await form(...fields, [name, picture])) }))
        .statusCode;
    };
    const fields: [string, string][] = [
      ['userid', 'ada'],
      ['groupid', 'default'],
      ['force', 'true'],
    ];
    const twice = async (url: string, from: number, ...more: [string, string][]) => [
      await post(url, from, ...more),
      await post(url, from + 1, ...more),
    ];
    assert.deepEqual(await twice('/api/face_register', 0, ...fields), [200, 409]);
    assert.deepEqual(await twice(`${PICTURES}&force=true`, 2), [201, 201]);
    assert.deepEqual(await twice('/api/v1/recognition/faces?subject=ann&force=true', 4), [201, 201]);
    assert.ok(vision.asked.length > 0);
  });

  it('says what `probability` is on each surface', async (t) => {
    const rows = rowsOf('api.md', '| where | `probability`').map(([where, what]) => `${where}: ${what}`);
    assert.match(rows[0], /the stream: the detector's, 0 to 1/);
    assert.match(
      rows[1],
      /face_recognizer`: 100 × \(1 - distance\), to one decimal, and 0 from a distance of 1 on/,
    );
    assert.match(rows[2], /`box.probability`: the detector's, 0 to 1/);
    const { app, vision, gallery } = await testApp(t);
    const [known] = [face()];
    await gallery.enrol({ groupid: 'default', userid: 'ada' }, known.embedding ?? new Float32Array());
    const at = async (distance: number, url: string, field = 'image') => {
      vision.faces = [{ ...face(100, distance), probability: 0.75 }];
      return (
        await app.inject({ method: 'POST', url, ...(await form([field, await greyJpeg()])) })
      ).json<unknown>();
    };
    for (const [distance, percent] of [
      [0.25, 75],
      [1.5, 0],
    ]) {
      const [found] = (await at(distance, '/api/face_recognizer')) as { probability: number }[];
      assert.equal(found.probability, percent);
      const detected = (await at(distance, '/api/v1/recognise')) as { faces: { probability: number }[] };
      assert.equal(detected.faces[0].probability, 0.75);
      const theirs = (await at(distance, '/api/v1/recognition/recognize', 'file')) as {
        result: { box: { probability: number } }[];
      };
      assert.equal(theirs.result[0].box.probability, 0.75);
    }
  });

  it('says how often the self-test may be asked', async (t) => {
    const row =
      rowsOf('api.md', '| | who')
        .find(([address]) => address.includes('selftest'))
        ?.join() ?? '';
    const [, times] = /(\d+) times a minute at most/.exec(row) ?? [];
    const { app } = await testApp(t);
    const statuses: number[] = [];
    for (let n = 0; n <= Number(times); n++) statuses.push((await app.inject('/api/v1/selftest')).statusCode);
    assert.deepEqual(statuses.slice(-2), [200, 429]);
  });
});

describe('docs/compreface.md', () => {
  /** Documented pairs of code and status: `42 / 43` and `404 / 400` go by pairs, `500, 503` are several of one. */
  const documented = new Set(
    rowsOf('compreface.md', '| code | status').flatMap(([codes, statuses]) => {
      const lists = statuses.split(' / ').map((list) => list.match(/\d+/g) ?? []);
      return codes
        .split(' / ')
        .flatMap((code, i) => (lists[i] ?? lists[0]).map((status) => `${code} ${status}`));
    }),
  );
  /** What no address of this surface answers. */
  const ELSEWHERE: ErrorCode[] = [
    ...([
      'SETUP',
      'CLIENT_GONE',
      'ARCHIVE_INVALID',
      'URL_REFUSED',
      'URL_UNREACHABLE',
      'KEY_UNKNOWN',
    ] as const),
    ...(['GROUP_EXISTS', 'GROUP_NOT_EMPTY', 'KEY_EXISTS', 'ALREADY_REGISTERED', 'OTHER_PERSON'] as const),
    'OTHER_PACK',
    // Of what v1 alone has.
    ...(['UNKNOWN_GONE', 'UNDO_GONE', 'SIGHTING_UNKNOWN', 'SIGHTINGS_OFF', 'CORRECTION_REFUSED'] as const),
  ];

  it('lists every code, and the statuses that they come with', () => {
    const codes = new Set([...documented].map((pair) => Number(pair.split(' ')[0])));
    assert.deepEqual([...codes].sort(), [...new Set(Object.values(COMPREFACE_CODES))].sort());
    for (const code of ERROR_CODES.filter((one) => !ELSEWHERE.includes(one))) {
      const request = { headers: {}, is404: code === 'METHOD_NOT_ALLOWED' };
      const { statusCode, body } = compreFaceError(new KaomonError(code, ''), '', request);
      assert.ok(
        documented.has(`${body.code} ${statusCode}`),
        `${code} is answered ${body.code}, ${statusCode}`,
      );
    }
  });

  it('says that its errors have one form, also at an address that is not there', async (t) => {
    says(
      'compreface.md',
      "`{message, code}` with CompreFace's codes and statuses, also where there is nothing",
    );
    const { app } = await testApp(t);
    for (const [method, status] of [
      ['GET', 404],
      ['PATCH', 405],
    ] as const) {
      const url = `/api/v1/recognition/${method === 'GET' ? 'nothing' : 'subjects'}`;
      const answer = await app.inject({ method, url });
      assert.deepEqual(
        [answer.statusCode, Object.keys(answer.json<object>())],
        [status, ['message', 'code']],
      );
    }
  });
});

describe('docs/batch.md, docs/models.md, docs/production.md, docs/settings.md', () => {
  it('say which ID is made of a name', () => {
    says('batch.md', `(\`${deriveId('José')}\`)`);
  });

  it('say what a command ends with', async (t) => {
    const rows = rowsOf('models.md', '| exit status');
    const listed = (column: number) =>
      rows
        .filter((cells) => cells[column] !== '')
        .map(([status]) => Number(status))
        .sort((a, b) => a - b);
    const env = { EMBEDDINGS_DIR: await temporaryFolder(t), CACHE_DIR: await temporaryFolder(t) };
    for (const [column, command] of [
      [1, 'import'],
      [2, 'reembed'],
    ] as const) {
      const { text } = await runKaomon([command, '--help'], env);
      const told = /Exit status: (.*)/s.exec(plain(text))?.[1].match(/\b\d+(?= [a-z])/g) ?? [];
      assert.deepEqual(
        told.map(Number).sort((a, b) => a - b),
        listed(column),
        command,
      );
      assert.equal((await runKaomon([command], env)).code, 1, `${command} without a word`);
    }
  });

  it('say what MAX_WORKER_MEMORY is, and which levels a log has', async () => {
    const { apps } = (await import(new URL(`file://${PROJECT_ROOT}/ecosystem.config.js`).href)) as {
      apps: { max_memory_restart: string }[];
    };
    says('production.md', `\`MAX_WORKER_MEMORY\` (\`${apps[0].max_memory_restart}\``);
    const [row] = settingsTable()
      .split('\n')
      .filter((line) => line.includes('`LOG_LEVEL`'));
    assert.ok(row.includes('`fatal`, `error`, `warn`, `info`, `debug`, `trace`, `silent`'), row);
  });
});
