import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import {
  type ApiDocument,
  byTag,
  curlOf,
  fieldsOf,
  limitsOf,
  matches,
  type Operation,
  typeOf,
} from '../../../src/browser/logic/api-document.js';
import { readDocument, seededApp } from '../../support/seeded-app.js';

const DOCUMENT: ApiDocument = { info: { title: 'T', version: '1' }, paths: {} };
const operation = (more: Partial<Operation>): Operation => ({
  ...{ id: 'x', method: 'GET', path: '/x' },
  ...more,
});

describe('what the page of the API reads out of the document', () => {
  it('lists every operation once under its tag', async (t) => {
    const { document, operations } = await readDocument(await seededApp(t));
    const listed = byTag(document as unknown as ApiDocument).flatMap((tag) => tag.operations);
    assert.equal(listed.length, operations.length);
    assert.equal(new Set(listed.map(({ id }) => id)).size, operations.length);
  });

  it('makes a command that a shell reads as it was meant', async (t) => {
    const { document } = await readDocument(await seededApp(t));
    const api = document as unknown as ApiDocument;
    for (const one of byTag(api).flatMap((tag) => tag.operations)) {
      for (const kind of Object.keys(one.requestBody?.content ?? { none: {} })) {
        const command = curlOf(one, api, 'https://door.example', kind === 'none' ? undefined : kind);
        assert.match(command, /^curl /);
        assert.doesNotMatch(command, /undefined|\[object/, one.id);
        // The shell itself takes it apart.
        const { stdout } = await promisify(execFile)(
          'sh',
          ['-c', `curl() { printf '%s\\n' "$@"; }; ${command}`],
          {
            env: { KAOMON_KEY: 'kao_1' },
          },
        );
        const words = stdout.split('\n');
        const address = words.find((word) => word.startsWith('https://door.example/'));
        assert.ok(address && URL.canParse(address), command);
        if (one.security?.length !== 0) assert.ok(words.includes('x-api-key: kao_1'), command);
        const given = words.includes('-X') ? words[words.indexOf('-X') + 1] : '';
        const sends = words.some((word) => ['-d', '-F', '--data-binary'].includes(word));
        assert.equal(given || (sends ? 'POST' : 'GET'), one.method, command);
      }
    }
  });

  it('quotes what a shell would read', () => {
    const body = { content: { 'application/json': { example: { name: "O'Neill $HOME" } } } };
    const command = curlOf(operation({ method: 'POST', requestBody: body }), DOCUMENT, 'http://h');
    assert.ok(command.includes(String.raw`-d '{"name":"O'\''Neill $HOME"}'`), command);
  });

  it('lists fields within fields, of each choice, and comes to an end where a schema holds itself', () => {
    const schema = {
      type: 'object',
      required: ['faces'],
      properties: {
        faces: {
          type: 'array',
          items: {
            type: 'object',
            properties: { box: { type: 'object', properties: { x: { type: 'number' } } } },
          },
        },
        who: { anyOf: [{ type: 'object', properties: { id: { type: 'string' } } }, { type: 'null' }] },
      },
    };
    const fields = fieldsOf(schema, DOCUMENT);
    assert.deepEqual(
      fields.map(({ name, type, required }) => `${name} ${type} ${required}`),
      [
        'faces array of object true',
        'faces[].box object false',
        'faces[].box.x number false',
        'who object | null false',
        'who.id string false',
      ],
    );
    const loop = {
      components: { schemas: { tree: { properties: { child: { $ref: '#/components/schemas/tree' } } } } },
    };
    assert.ok(fieldsOf({ $ref: '#/components/schemas/tree' }, loop).length < 10);
  });

  it('says types and limits in short', () => {
    assert.equal(typeOf({ enum: ['a', 'b'] }, DOCUMENT), '"a" | "b"');
    assert.equal(typeOf({ type: ['string', 'null'] }, DOCUMENT), 'string | null');
    assert.equal(typeOf({ type: 'string', format: 'binary' }, DOCUMENT), 'file');
    assert.deepEqual(limitsOf({ minimum: 1, maximum: 100, default: 20 }), ['1 – 100', 'default 20']);
    assert.deepEqual(limitsOf({ maxLength: 64 }), ['length … – 64']);
    assert.deepEqual(limitsOf({ type: 'string' }), []);
  });

  it('finds by every word, in any order', () => {
    const one = operation({ path: '/api/v1/groups', summary: 'Delete a group', parameters: [] });
    assert.equal(matches(one, 'group DELETE'), true);
    assert.equal(matches(one, 'group people'), false);
    assert.equal(matches(one, ''), true);
  });
});
