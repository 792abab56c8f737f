import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ESLint, Linter } from 'eslint';
import regexp from 'eslint-plugin-regexp';
import { decodeBase64 } from '../../../src/http/intake/base64.js';
import { PROJECT_ROOT } from '../../../src/platform/root.js';
import { face, testApp } from '../../support/app.js';
import { greyJpeg } from '../../support/pictures.js';

/** Far longer than anything here takes, far shorter than what was quadratic. */
const timeout = 60_000;

/** A picture in every way in which base64 is written. */
async function writings(): Promise<[string, string][]> {
  const picture = await greyJpeg();
  const usual = picture.toString('base64');
  const lines = usual.replace(/(.{76})/g, '$1\r\n');
  return [
    ['plain', usual],
    ['without padding', usual.replaceAll('=', '')],
    ['for addresses', picture.toString('base64url')],
    ['in lines', lines],
    ['with spaces and tabs', ` \t${usual.replace(/(.{5})/g, '$1 \t')}\n`],
    ['behind data:', `data:image/jpeg;base64,${usual}`],
    ['behind DATA: with parameters', `DATA:image/jpeg;name=a.jpg;BASE64, ${usual}`],
    ['behind data: in lines, for addresses', `data:image/jpeg;base64,${lines.replaceAll('+', '-')}`],
  ];
}

describe('base64', () => {
  it('is taken in every writing of it, on every surface', async (t) => {
    const { app, vision } = await testApp(t);
    vision.faces = [face()];
    for (const [name, text] of await writings()) {
      const calls: [url: string, payload: object][] = [
        ['/api/v1/detect', { image: text }],
        ['/api/v1/recognise', { images: [text] }],
        ['/api/v1/verify', { probe: { image: text }, against: { image: text } }],
        ['/api/v1/recognition/recognize', { file: text }],
        ['/api/v1/detection/detect', { file: text }],
        ['/api/v1/verification/verify', { source_image: text, target_image: text }],
      ];
      for (const [url, payload] of calls) {
        const answer = await app.inject({ method: 'POST', url, payload });
        assert.equal(answer.statusCode, 200, `${name} at ${url}: ${answer.body}`);
      }
    }
  });

  it('is refused when it is none', async () => {
    for (const text of ['!', 'AAA!', 'A', 'AAAAA', 'AA=A', 'AAA===', '====', 'data:image/png', 'ÄÄÄÄ']) {
      await assert.rejects(decodeBase64(text, { maxBytes: 100 }), { code: 'IMAGE_UNREADABLE' }, text);
    }
    await assert.rejects(decodeBase64('A'.repeat(136), { maxBytes: 101 }), { code: 'UPLOAD_TOO_LARGE' });
    assert.equal((await decodeBase64('A'.repeat(136), { maxBytes: 102 })).length, 102);
  });

  it('of 13 MB leaves the event loop to others while it is decoded', async () => {
    const bytes = Buffer.alloc(10_000_001, 'any bytes');
    let turns = 0;
    let isDone = false as boolean;
    const others = (async () => {
      for (; !isDone; turns++) await new Promise((resolve) => setImmediate(resolve));
    })();
    const decoded = await decodeBase64(bytes.toString('base64'), { maxBytes: 10_000_001 });
    isDone = true;
    await others;
    assert.ok(bytes.equals(decoded));
    assert.equal(decoded.buffer.byteLength, decoded.byteLength, 'it is handed over whole');
    assert.ok(turns > 20, `${turns} turns`);
  });

  it('ends when nobody waits for it any more', async () => {
    const gone = new AbortController();
    const decoding = decodeBase64('A'.repeat(8_000_000), { maxBytes: 1e9, signal: gone.signal });
    gone.abort();
    await assert.rejects(decoding, { code: 'CLIENT_GONE' });
  });
});

describe('one request', () => {
  it('of 200 kB of spaces is refused, and holds nobody', { timeout }, async (t) => {
    const { app } = await testApp(t);
    for (const text of [`${' '.repeat(200_000)}!`, `A${' '.repeat(200_000)}=${' '.repeat(200_000)}!`]) {
      for (const [url, payload] of [
        ['/api/v1/recognition/recognize', { file: text }],
        ['/api/v1/detect', { image: text }],
      ] as const) {
        const answer = await app.inject({ method: 'POST', url, payload });
        assert.equal(answer.statusCode, 400);
      }
    }
  });

  it('of a million fields, values or brackets is refused before it is parsed', { timeout }, async (t) => {
    const { app } = await testApp(t);
    const million = (one: (i: number) => string) => Array.from({ length: 1e6 }, (_, i) => one(i)).join(',');
    const bodies: [string, string][] = [
      ['/api/v1/recognise', `{${million((i) => `"k${i}":1`)}}`],
      ['/api/v1/recognise', `{"images":[${million(() => '1')}]}`],
      ['/api/v1/recognise', `{"image":${'['.repeat(1e6)}${']'.repeat(1e6)}}`],
      ['/api/v1/verify', `{"probe":{"vector":[${million(() => '"a"')}]},"against":{"faceid":"a-b"}}`],
      ['/api/v1/recognition/embeddings/recognize', `{"embeddings":[[${million(() => '"a"')}]]}`],
      ['/api/v1/recognition/recognize', `{"file":"\\"${',"'.repeat(1e6)}"}`],
    ];
    for (const [url, payload] of bodies) {
      const headers = { 'content-type': 'application/json' };
      const answer = await app.inject({ method: 'POST', url, payload, headers });
      assert.equal(answer.statusCode, 400, url);
      assert.match(answer.body, /which is too much/, url);
    }
    const wrong = `{"embeddings":[[${Array(500_000).fill('""').join()}]]}`;
    const headers = { 'content-type': 'application/json' };
    const url = '/api/v1/recognition/embeddings/recognize';
    const answer = await app.inject({ method: 'POST', url, payload: wrong, headers });
    assert.match(answer.body, /embeddings\.0\.0.*must be number/);
  });

  it('is told the first thing that is wrong with it, in a short list and in a long one', async (t) => {
    const { app } = await testApp(t);
    const wrong = async (url: string, payload: object) =>
      (await app.inject({ method: 'POST', url, payload })).json<{ message: string }>().message;
    const embeddings = [
      [1, 2],
      [3, 'x'],
    ];
    const path = '/api/v1/recognition/embeddings/recognize';
    assert.match(await wrong(path, { embeddings }), /"embeddings\.1\.1" must be number/);
    const ids = Array.from({ length: 10_001 }, () => 'a');
    assert.match(await wrong('/api/v1/recognition/faces/delete', ids), /too many entries/);
    assert.match(await wrong('/api/v1/detect', { images: Array(17).fill('A') }), /more than 16 items/);
    const texts = '{"image": "\\"[[[[{{{{\\\\", "nothing": ":,:,[[\\""}';
    const headers = { 'content-type': 'application/json' };
    const answer = await app.inject({ method: 'POST', url: '/api/v1/detect', payload: texts, headers });
    assert.match(answer.body, /nothing.*not known here/, 'what stands in a text is no structure');
  });

  it('reaches into no prototype', async (t) => {
    const { app } = await testApp(t);
    for (const name of ['__proto__', '\\u005f_proto__', 'constructor']) {
      const payload = `{"groupid": "a", "${name}": {"prototype": {"groupname": "b"}}}`;
      const headers = { 'content-type': 'application/json' };
      const answer = await app.inject({ method: 'POST', url: '/api/v1/groups', payload, headers });
      assert.equal(answer.statusCode, 400, name);
    }
  });
});

it('a regular expression that is not linear fails lint', async () => {
  const config = (await new ESLint({ cwd: PROJECT_ROOT }).calculateConfigForFile('src/platform/log.ts')) as {
    rules: Record<string, [severity: number, ...options: object[]]>;
  };
  const names = ['regexp/no-super-linear-backtracking', 'regexp/no-super-linear-move'];
  const rules = Object.fromEntries(names.map((name) => [name, config.rules[name]]));
  assert.ok(Object.values(rules).every(([severity]) => severity === 2));
  const linter = new Linter();
  const check = (code: string) => linter.verify(code, { plugins: { regexp }, rules } as never).length;
  assert.equal(check('/^[0-9A-Za-z+/\\s]+={0,2}\\s*$/.test(text)'), 1);
  assert.equal(check('text.replace(/_+$/, "")'), 1);
  assert.equal(check('/^[A-Za-z0-9+/_-]*$/.test(text)'), 0);
  // And what is given as a text is given as a literal's.
  const [, ...syntax] = config.rules['no-restricted-syntax'];
  assert.ok(syntax.some((one) => 'selector' in one && String(one.selector).includes("key.name='pattern'")));
});
