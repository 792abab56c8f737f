import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { RouteOptions } from 'fastify';
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { createKeys } from '../../src/access/keys.js';
import { face, testApp, unitVector } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { type Operation, readDocument, seededApp } from '../support/seeded-app.js';
import { bestFace, keepVisit, STRANGER } from '../support/sightings.js';

/** Written by the rooms whose own documents and tests describe them. */
const ELSEWHERE = /^\/api\/v1\/(recognition|detection|verification|stream)/;
/** Figures of the moment: their schemas say what each is. */
const FIGURES = /^\/(api\/v1\/(health|live|ready|status|selftest)|metrics)$/;
/** What no program calls: pages, their files and the document itself. */
const PAGES =
  /^\/(add|today|people|people\/:faceid|status|check|keys|signin|offline|sw\.js|icon\.svg|assets\/.*|manifest\.webmanifest|docs.*)?$/;
/** These enrol a face, which must be nobody's yet. */
const ENROLS = /faces$|face_register$/;

interface Sent {
  headers?: Record<string, string>;
  payload?: string | Buffer;
}

/** Fills an operation's address from the examples of its parameters. */
function addressOf({ path, parameters = [] }: Operation, ids: { face: string; key: string }): string {
  let url = path;
  const query = new URLSearchParams();
  for (const { name, in: where, example } of parameters) {
    let id = path.includes('/keys/') ? ids.key : ids.face;
    if (path.includes('/sightings/')) id = '1';
    if (path.includes('/unknowns/')) id = 'u-1';
    const value = String(name === 'id' ? id : example);
    if (where === 'path') url = url.replace(`{${name}}`, encodeURIComponent(value));
    else if (where === 'query' && example !== undefined) query.set(name, value);
  }
  return query.size > 0 ? `${url}?${query.toString()}` : url;
}

/** Each kind of body that an operation takes, with its example. */
async function bodiesOf({ requestBody }: Operation): Promise<[kind: string, sent: Sent][]> {
  if (!requestBody) return [['no body', {}]];
  const picture = await greyJpeg();
  const bodies = Object.entries(requestBody.content).map(
    async ([kind, { example }]): Promise<[string, Sent]> => {
      if (kind === 'multipart/form-data') {
        const parts = Object.entries(example as Record<string, string>).map(
          ([name, value]): [string, string | Uint8Array] => [name, value === '(a file)' ? picture : value],
        );
        return [kind, await form(...parts)];
      }
      if (kind === 'application/json') {
        return [kind, { headers: { 'content-type': kind }, payload: JSON.stringify(example) }];
      }
      return [kind, { headers: { 'content-type': kind.replace('*', 'jpeg') }, payload: picture }];
    },
  );
  return Promise.all(bodies);
}

async function read(t: TestContext) {
  const test = await seededApp(t);
  return { ...test, ...(await readDocument(test)) };
}

describe('the OpenAPI document', () => {
  it('is valid 3.1 and asks for nothing from elsewhere', async (t) => {
    const { app, document } = await read(t);
    assert.equal(document.openapi, '3.1.0');
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    assert.ok(valid, JSON.stringify(errors, null, 2));
    const page = await app.inject('/docs');
    assert.equal(page.statusCode, 200);
    assert.doesNotMatch(page.body, /https?:\/\//);
    assert.equal((await app.inject('/docs/')).headers.location, '/docs');
    assert.match(String(page.headers['content-security-policy']), /script-src 'self'(;|$)/);
  });

  it('holds every route, and no other', async (t) => {
    const routes: RouteOptions[] = [];
    const { operations } = await readDocument(
      await testApp(t, {}, { onRoute: (route) => routes.push(route) }),
    );
    const registered = routes
      .filter(({ url }) => !PAGES.test(url))
      .flatMap(({ method, url }) =>
        [method].flat().map((word) => `${word} ${url.replace(/:(\w+)/g, '{$1}')}`),
      )
      // Fastify answers it wherever there is a GET.
      .filter((name) => !name.startsWith('HEAD '));
    assert.deepEqual(operations.map(({ method, path }) => `${method} ${path}`).sort(), registered.sort());
  });

  it('says of each operation a summary, a tag that it explains, and the statuses that it may answer', async (t) => {
    const { document, operations } = await read(t);
    const explained = document.tags.map(({ name }) => name);
    for (const operation of operations) {
      const { method, path, summary, tags, responses, requestBody, security } = operation;
      const name = `${method} ${path}`;
      assert.ok(summary, `${name} has a summary`);
      assert.ok(
        tags?.length && tags.every((tag) => explained.includes(tag)),
        `${name} has a tag that is explained`,
      );
      const must = ['500'];
      if (!ELSEWHERE.test(path)) {
        if (security?.length !== 0 && path.startsWith('/api/v1')) must.push('401', '403', '429', '503');
        if (requestBody) must.push('400', '413', '415');
        if (path.includes('{')) must.push('400', '404');
      }
      for (const status of must) assert.ok(status in responses, `${name} declares ${status}`);
    }
  });

  it('has examples that fit its own schemas', async (t) => {
    const { operations } = await read(t);
    for (const { method, path, requestBody, responses } of operations) {
      if (ELSEWHERE.test(path)) continue;
      const name = `${method} ${path}`;
      for (const [kind, { schema, example }] of Object.entries(requestBody?.content ?? {})) {
        if (!/json|form-data/.test(kind)) continue;
        assert.ok(example !== undefined, `${name} has an example of ${kind}`);
        assert.ok(Value.Check(schema as TSchema, example), `${name}: the example of ${kind} fits`);
      }
      const [status] = Object.keys(responses).filter((key) => key.startsWith('2'));
      for (const [kind, { schema, example }] of Object.entries(responses[status].content ?? {})) {
        if (kind !== 'application/json' || FIGURES.test(path)) continue;
        if (status === '204') continue;
        assert.ok(example !== undefined, `${name} has an example of its answer`);
        const wrong = Value.Errors(schema as TSchema, example);
        assert.deepEqual([...wrong], [], `${name}: the example of the answer fits`);
      }
    }
  });

  it('has examples that work', async (t) => {
    const { operations } = await read(t);
    for (const operation of operations) {
      const { method, path, responses } = operation;
      if (ELSEWHERE.test(path) || path === '/api/v1/events') continue;
      for (const [kind, sent] of await bodiesOf(operation)) {
        const { app, gallery, vision, config, faceOfAda, sightings } = await seededApp(t, {
          SIGHTINGS: true,
        });
        const { info } = await createKeys({ file: config.KEYS_FILE }).add({ name: 'old', role: 'admin' });
        if (ENROLS.test(path)) vision.faces = [face(100, path.includes('faces') ? 0.01 : 3.5)];
        const isSaid = path.includes('/corrections/{id}');
        const said = isSaid && (await gallery.correct('staff-ada', unitVector(1), Uint8Array.of(1)));
        const id = said ? said.correction.id : faceOfAda;
        const url = addressOf(operation, { face: id, key: info.id });
        // A stranger who is like nobody, or is said to be somebody.
        const vector = path.endsWith('/same-as') ? unitVector(0.3) : Float32Array.of(0, 0, 1, 0);
        if (sightings && path.includes('/unknowns'))
          await keepVisit(sightings, 'w.2', { ...STRANGER, best: { ...bestFace(), vector } });
        if (path.endsWith('/undo')) {
          const done = await app.inject({ method: 'PUT', url: '/api/v1/unknowns/u-1/ignored' });
          sent.payload = JSON.stringify({ token: done.json<{ undo: string }>().undo });
        }
        if (path.endsWith('/import')) sent.payload = (await app.inject('/api/v1/export')).rawPayload;
        const answer = await app.inject({ method: method as 'GET', url, ...sent });
        const name = `${method} ${url} with ${kind}`;
        assert.equal(Math.floor(answer.statusCode / 100), 2, `${name}: ${answer.body}`);
        const declared = responses[answer.statusCode];
        assert.ok(declared, `${name} answers ${answer.statusCode}, which is declared`);
        const schema = declared.content?.['application/json']?.schema;
        const isJson = String(answer.headers['content-type']).startsWith('application/json');
        if (!schema || !isJson || answer.statusCode === 204) continue;
        assert.deepEqual([...Value.Errors(schema as TSchema, answer.json())], [], name);
      }
    }
  });
});
