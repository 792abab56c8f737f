import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { testApp } from '../support/app.js';

const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };
const PAGES = [
  '/',
  '/add',
  '/people',
  '/people/default-ken',
  '/status',
  '/check',
  '/signin',
  '/docs',
  '/offline',
];
const decode = {
  br: brotliDecompressSync,
  gzip: gunzipSync,
  '': (bytes: Buffer) => bytes,
};
type Encoding = keyof typeof decode;
const ENCODINGS = Object.keys(decode) as Encoding[];

async function open(...args: Parameters<typeof testApp>) {
  const test = await testApp(...args);
  const ask = async (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
    test.app.inject({ method, url, headers });
  /** Every file that a page names. */
  const filesOf = async (page: string) => {
    const { body } = await ask(page);
    return [...body.matchAll(/(?:src|href)="(\/[^"]+\.\w+)"/g)].map(([, file]) => file);
  };
  return { ...test, ask, filesOf };
}

describe('pages and their files', () => {
  it('come in the best encoding that a browser takes, each under an ETag of its own', async (t) => {
    const { ask, filesOf } = await open(t);
    const addresses = new Set(PAGES);
    for (const page of PAGES) for (const file of await filesOf(page)) addresses.add(file);
    addresses.add('/sw.js').add('/docs/json').add('/docs/yaml');
    assert.ok(addresses.size > 15, [...addresses].join());
    for (const url of addresses) {
      const plain = (await ask(url)).rawPayload;
      const etags = new Set<unknown>();
      for (const encoding of ENCODINGS) {
        const answer = await ask(url, { 'accept-encoding': encoding });
        const name = `${url} as ${encoding}`;
        assert.equal(answer.statusCode, 200, name);
        if (url.endsWith('.png')) continue;
        assert.equal(answer.headers['content-encoding'] ?? '', encoding, name);
        assert.match(String(answer.headers.vary), /accept-encoding/i, name);
        assert.ok(decode[encoding](answer.rawPayload).equals(plain), name);
        etags.add(answer.headers.etag);

        const head = await ask(url, { 'accept-encoding': encoding }, 'HEAD');
        assert.deepEqual(
          [head.body, head.headers['content-length'], head.headers.etag, head.headers['content-type']],
          ['', String(answer.rawPayload.length), answer.headers.etag, answer.headers['content-type']],
          name,
        );
        const again = await ask(url, {
          'accept-encoding': encoding,
          'if-none-match': String(answer.headers.etag),
        });
        assert.deepEqual([again.statusCode, again.body], [304, ''], name);
      }
      if (!url.endsWith('.png')) assert.equal(etags.size, ENCODINGS.length, url);
    }
  });

  it('are sent in parts of the encoding that is sent whole', async (t) => {
    const { ask, filesOf } = await open(t);
    const [file] = (await filesOf('/people')).filter((one) => one.endsWith('.css'));
    for (const encoding of ENCODINGS) {
      const whole = (await ask(file, { 'accept-encoding': encoding })).rawPayload;
      const part = await ask(file, { 'accept-encoding': encoding, range: 'bytes=10-19' });
      assert.equal(part.statusCode, 206, encoding);
      assert.equal(part.headers['content-range'], `bytes 10-19/${whole.length}`);
      assert.ok(part.rawPayload.equals(whole.subarray(10, 20)), encoding);
    }
  });

  it('are kept for ever where the name changes with the content, else asked for each time', async (t) => {
    const { ask, filesOf } = await open(t);
    for (const page of PAGES) {
      assert.equal((await ask(page)).headers['cache-control'], 'no-cache', page);
      for (const file of await filesOf(page)) {
        const { headers } = await ask(file);
        const expected = file.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
        assert.equal(headers['cache-control'], expected, file);
      }
    }
    assert.equal((await ask('/sw.js')).headers['cache-control'], 'no-cache');
  });

  it('never have a source map for a visitor', async (t) => {
    const { ask, filesOf } = await open(t);
    for (const file of await filesOf('/')) {
      const { body } = await ask(file);
      assert.doesNotMatch(body, /sourceMappingURL/, file);
      assert.equal((await ask(`${file}.map`)).statusCode, 404);
    }
  });

  it('leave what the API answers uncompressed, beside whose secrets others may put words', async (t) => {
    const { ask } = await open(t);
    const answer = await ask('/api/v1/people', { 'accept-encoding': 'br, gzip' });
    assert.deepEqual([answer.statusCode, answer.headers['content-encoding']], [200, undefined]);
  });

  it('are in the language that was chosen, else in the first that the browser asks for', async (t) => {
    const { ask } = await open(t);
    const language = async (headers: Record<string, string>) => {
      const answer = await ask('/people', headers);
      assert.match(String(answer.headers.vary), /accept-language.*cookie/);
      return /<html lang="(\w+)"/.exec(answer.body)?.[1];
    };
    assert.equal(await language({}), 'en');
    assert.equal(await language({ 'accept-language': 'fr, ja;q=0.8, en;q=0.7' }), 'ja');
    assert.equal(await language({ 'accept-language': 'ja;q=0.1, en-GB;q=0.9' }), 'en');
    assert.equal(await language({ 'accept-language': 'ja;q=0, de' }), 'en');
    assert.equal(await language({ 'accept-language': 'ja', cookie: 'kaomon-language=en' }), 'en');
    assert.equal(await language({ cookie: 'kaomon-language=../../secret' }), 'en');
    const manifest = await ask('/manifest.webmanifest', { cookie: 'kaomon-language=ja' });
    assert.match(String(manifest.headers['content-type']), /^application\/manifest\+json/);
    const { lang, icons } = manifest.json<{ lang: string; icons: { src: string; purpose: string }[] }>();
    assert.equal(lang, 'ja');
    assert.deepEqual(
      icons.map(({ purpose }) => purpose),
      ['any', 'any', 'any', 'maskable'],
    );
    for (const { src } of icons) assert.equal((await ask(src)).statusCode, 200, src);
  });
});

describe('an address without a page', () => {
  it('has a page for a browser and JSON for a program, and for the API always JSON', async (t) => {
    const { ask, app } = await open(t, { AUTH: 'key' });
    for (const url of ['/nothing', '/people/', '/assets/none.js', '/apis', '/PEOPLE', '/docsx']) {
      const page = await ask(url, BROWSER);
      assert.equal(page.statusCode, 404, url);
      assert.match(String(page.headers['content-type']), /^text\/html/, url);
      assert.match(page.body, /There is no page at this address/, url);
      assert.equal(page.headers['cache-control'], 'no-store', url);
      assert.match(String(page.headers.vary), /accept\b/, url);
      assert.match(String(page.headers['content-security-policy']), /default-src 'none'/);
      const program = await ask(url, { accept: '*/*' });
      assert.equal(program.json<{ code: string }>().code, 'NOT_FOUND', url);
      assert.match(String(program.headers.vary), /accept\b/, url);
    }
    for (const url of [
      '/api',
      '/api/nothing',
      '/api/v1/nothing',
      '/api/v1/recognition/x',
      '/metrics/x',
      '/docs/x',
    ]) {
      const answer = await ask(url, BROWSER);
      assert.equal(answer.statusCode, 404, url);
      assert.match(String(answer.headers['content-type']), /^application\/json/, url);
    }
    const posted = await app.inject({ method: 'POST', url: '/nothing', headers: BROWSER });
    assert.match(String(posted.headers['content-type']), /^application\/json/);
    const part = await ask('/nothing', { ...BROWSER, range: 'bytes=0-3', 'if-none-match': '"x"' });
    assert.deepEqual([part.statusCode, part.body.includes('</html>')], [404, true]);
    const japanese = await ask('/nothing', { ...BROWSER, 'accept-language': 'ja' });
    assert.match(japanese.body, /ページが見つかりません/);
    const head = await ask('/nothing', BROWSER, 'HEAD');
    assert.deepEqual([head.statusCode, head.body], [404, '']);
  });
});
