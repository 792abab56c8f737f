import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type TSchema, Type } from 'typebox';
import { Value } from 'typebox/value';
import { WebSocket } from 'ws';
import { createKeys } from '../../src/access/keys.js';
import { encodeNpy } from '../../src/gallery/store/npy.js';
import { OwnPackSchema } from '../../src/models/packs/own-pack.js';
import { NOTICE_TYPES } from '../../src/notices/types.js';
import { type Block, commandsOf, DOCUMENTS } from '../support/documents.js';
import { filesBelow } from '../support/files-below.js';
import { portrait, scene } from '../support/photographs.js';
import { startServer, type TestServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const CURL_MISSING = spawnSync('curl', ['--version']).status !== 0 && 'needs curl';
const RUN = fileURLToPath(new URL('../support/run-command.js', import.meta.url));

/** Lines that make what other lines ask for, and those that take it away: a user runs them in this order. */
const MAKES = /face_register|\?create=true|keys add|-d '\{"name"/;
const TAKES_AWAY = /keys revoke|-X DELETE/;
const rank = (line: string) => Number(!MAKES.test(line)) + Number(TAKES_AWAY.test(line));

/** Commands of `kaomon` that are run as they stand; of the others commands.test.ts asks whether their options are known. */
const RUNS = /kaomon\.mjs keys|npm run (?:enrol|import)\b/;
/** Lines of one program that only start what this suite starts by itself, or what takes minutes. */
const KNOWN_ELSEWHERE =
  /^(?:[A-Z_]+=\S+ )*(?:npm (?:start|test|run [\w:]+)|node scripts\/[\w/]+\.mjs)\b[^;&|]*$/;

interface Command {
  block: Block;
  /** As it stands in the document, over several lines where it does. */
  text: string;
  /** Without host and query; '' where it is no curl. */
  address: string;
}

const blocks = DOCUMENTS.flatMap((document) => document.blocks);
const isRun = ({ mark }: Block) => !/^not run: ./.test(mark ?? '');
const commands = blocks
  .filter((block) => block.language === 'sh' && isRun(block))
  .flatMap((block) => commandsOf(block).map((text) => ({ block, text })))
  .map((one): Command => ({
    ...one,
    address: /https:\/\/localhost:8443(\/[^\s"?]*)/.exec(one.text)?.[1] ?? '',
  }));
const run = commands.filter(({ text }) => /\bcurl -/.test(text) || RUNS.test(text));
const answers = blocks.filter(({ language, behind }) => language === 'json' && behind?.language === 'sh');

const texts = (...names: string[]) => Object.fromEntries(names.map((name) => [name, Type.String()]));
/** As `Notice` (src/notices/types.ts) has it. */
const NoticeSchema = Type.Object(
  {
    ...texts('id', 'at'),
    type: Type.Enum([...NOTICE_TYPES]),
    person: Type.Object(texts('faceid', 'groupid', 'userid', 'username'), { additionalProperties: false }),
    ...Object.fromEntries(
      ['face', 'picture', 'deviceid', 'unknown'].map((name) => [name, Type.Optional(Type.String())]),
    ),
    ...{ present: Type.Optional(Type.Integer()), sighting: Type.Optional(Type.Integer()) },
  },
  { additionalProperties: false },
);

/** What examples that no line answers are held to, by the word of their mark. */
const EXAMPLES: Record<string, TSchema | undefined> = {
  'a pack’s manifest': OwnPackSchema,
  'a part of a manifest': { ...OwnPackSchema, required: [] },
  'a notice': NoticeSchema,
};

/** Whether what is answered has the fields that a document shows, each of its kind; null may be anything. */
function assertShape(shown: unknown, got: unknown, where = 'the answer'): void {
  if (shown === null || got === null) return;
  const kind = (value: unknown) => (Array.isArray(value) ? 'list' : typeof value);
  assert.equal(kind(got), kind(shown), where);
  if (Array.isArray(shown) && Array.isArray(got)) {
    if (shown.length > 0) assertShape(shown[0], got[0], `${where}[0]`);
    return;
  }
  if (typeof shown !== 'object' || typeof got !== 'object') return;
  assert.deepEqual(Object.keys(got).sort(), Object.keys(shown).sort(), where);
  for (const [name, value] of Object.entries(shown))
    assertShape(value, (got as Record<string, unknown>)[name], `${where}.${name}`);
}

interface Ended {
  code: number;
  status: string | undefined;
  /** What was written on standard output and, where that is JSON, what it says. */
  body: unknown;
  stderr: string;
}

describe('the blocks of the documents', () => {
  it('say what they are, and those that are not run say why', () => {
    for (const { document, line, language, mark } of blocks) {
      assert.match(language, /^(sh|json|js|text)$/, `${document}:${line}`);
      if (mark !== undefined)
        assert.match(mark, /^(not run|example of|printed|figures): ./, `${document}:${line}`);
    }
    for (const { block, text } of commands.filter((command) => !run.includes(command))) {
      assert.match(text, KNOWN_ELSEWHERE, `${block.document}:${block.line}: nothing runs this line`);
    }
    const inText = DOCUMENTS.flatMap(({ text }) => text.match(/\bcurl -/g) ?? []).length;
    assert.equal(run.filter(({ address }) => address).length, inText, 'each curl stands in a block of shell');
  });

  for (const block of blocks.filter(({ language }) => language === 'json')) {
    it(`${block.document}:${block.line} is JSON of a known kind`, () => {
      const shown = JSON.parse(block.text) as unknown;
      if (answers.includes(block)) return;
      const [, what = ''] = /^example of: (.*)$/.exec(block.mark ?? '') ?? [];
      const schema = EXAMPLES[what];
      assert.ok(schema, 'it follows the line that it answers, or says of what it is an example');
      assert.deepEqual([...Value.Errors(schema, shown)], []);
    });
  }
});

describe('the lines of the documents', { skip: CURL_MISSING }, () => {
  let folder: string;
  let server: TestServer;
  let key: string;
  const env = () => ({
    EMBEDDINGS_DIR: path.join(folder, 'embeddings'),
    CACHE_DIR: path.join(folder, 'cache'),
  });
  /** What is another in each installation, by how the documents write it. */
  const placeholders = new Map<string, string>();

  before(async () => {
    folder = await temporaryFolder({ after });
    const keys = createKeys({ file: path.join(folder, 'embeddings', 'keys.json') });
    ({ key } = await keys.add({ name: 'reader', role: 'admin' }));
    server = await startServer({ MODEL_PACK: 'faceapi', AUTH: 'key', SIGHTINGS: 'true', ...env() });
    // As large as a camera's: what goes through a command line's arguments must be small, and a reader's is not.
    const [ada, yuki] = await Promise.all([portrait('fay', { size: 1500 }), portrait('hue', { size: 1500 })]);
    assert.ok(ada.length > 200_000);
    const vector = encodeNpy(randomUnitVector(seededRandom(1), 512));
    const files = {
      ...{ 'a.jpg': ada, 'portrait.jpg': ada, 'b.jpg': yuki, 'yuki.jpg': yuki, 'frame.jpg': await scene(6) },
      'DIR/dot/1.jpg': await portrait('dot'),
      'staff.csv': Buffer.from('userid,file,username\ndot,DIR/dot/1.jpg,Dot\n'),
      'maiface/staff-ken/1.npy': vector,
      'kaomon.env': Buffer.from(
        Object.entries(env())
          .map(([name, value]) => `${name}=${value}\n`)
          .join(''),
      ),
      // The lines are run to the letter: curl itself is told where their server is.
      '.curlrc': Buffer.from(
        `silent\nshow-error\nmax-time = 60\ndump-header = "${folder}/headers"\n` +
          `connect-to = "localhost:8443:127.0.0.1:${server.port}"\n`,
      ),
    };
    for (const [name, bytes] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await writeFile(path.join(folder, name), bytes);
    }
    placeholders.set('/etc/kaomon.env', path.join(folder, 'kaomon.env'));
    placeholders.set('/path/to/maiface/embeddings', path.join(folder, 'maiface'));
    // This build's, without a look at whether it is new.
    placeholders.set('node scripts/kaomon.mjs', `${process.execPath} ${RUN}`);
    for (const name of ['enrol', 'import'])
      placeholders.set(`npm run ${name} --`, `${process.execPath} ${RUN} ${name}`);
  });
  after(() => server.end());

  function launch({ text }: Command): { child: ChildProcess; ended: Promise<Ended>; stdout: () => string } {
    let line = text;
    for (const [written, here] of placeholders) line = line.replaceAll(written, here);
    // Settings come from the line itself where it reads them.
    const own = text.includes('kaomon.env') ? {} : env();
    const child = spawn('sh', ['-c', line], {
      cwd: folder,
      env: { PATH: process.env.PATH, CURL_HOME: folder, KEY: key, MODEL_PACK: 'faceapi', ...own },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: a line may be several processes.
      detached: true,
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = once(child, 'close').then(async ([code]: number[]): Promise<Ended> => {
      const headers = await readFile(path.join(folder, 'headers'), 'utf8').catch(() => '');
      // The last: before it may come "100 Continue".
      const status = [...headers.matchAll(/^HTTP\/\S+ (\d+)/gm)].at(-1)?.[1];
      return { code, status, body: /^[[{]/.test(stdout) ? (JSON.parse(stdout) as unknown) : stdout, stderr };
    });
    return { child, ended, stdout: () => stdout };
  }

  /** @param shown what the document says that it answers; undefined: nothing */
  async function execute(command: Command, shown: unknown): Promise<unknown> {
    await writeFile(path.join(folder, 'headers'), '');
    const { code, status, body, stderr } = await launch(command).ended;
    assert.equal(code, 0, stderr);
    if (!command.address) return body;
    const { statusCode = '20[012]' } = (shown ?? {}) as { statusCode?: number };
    assert.match(status ?? '', new RegExp(`^${statusCode}$`), JSON.stringify(body));
    if (shown !== undefined) assertShape(shown, body);
    return body;
  }

  /** A stream has no end: it is read until it has told of something that happens. */
  async function follow(command: Command): Promise<void> {
    const { child, ended, stdout } = launch(command);
    try {
      await until(() => stdout() !== '' || child.exitCode !== null);
      const made = await server.post('/api/v1/groups', {
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        payload: Buffer.from('{"groupid": "visitors", "groupname": "Visitors"}'),
      });
      assert.equal(made.status, 201, JSON.stringify(made.body));
      await until(() => stdout().includes('event: group-created') || child.exitCode !== null);
    } finally {
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid);
    }
    const { status, stderr } = await ended;
    assert.equal(status, '200', stderr);
    assert.match(stdout(), /^event: group-created$/m);
  }

  /** What the lines are there to show, by address; others need only succeed. */
  const shows: Record<string, ((body: never, command: Command) => unknown) | undefined> = {
    '/api/face_register': ({ result }: { result: string }) => assert.notEqual(result, 'ERROR'),
    '/api/face_recognizer': (faces: { faceid: string }[]) =>
      assert.ok(faces.some(({ faceid }) => faceid === 'default-yuki')),
    '/api/v1/people'(body: { people?: { faceid: string; username: string }[] }) {
      const names = body.people?.map(({ faceid, username }) => `${faceid} ${username}`);
      for (const name of names ? ['default-ada Ada', 'default-yuki yuki'] : [])
        assert.ok(names?.includes(name), name);
    },
    '/api/v1/detect'(body: { faces?: object[]; results?: { faces: object[] }[] }, { text }) {
      const pictures = text.match(/\.jpg/g)?.length ?? 0;
      const found = (body.results ?? [body]).map(({ faces }) => faces?.length);
      assert.deepEqual(found, Array<number>(pictures).fill(1), 'a face in each picture');
    },
    '/api/v1/recognise'({ faces: [face] }: { faces: { matches: { faceid: string }[] }[] }) {
      assert.equal(face.matches[0].faceid, 'default-ada');
    },
    '/api/v1/verify': ({ same }: { same: boolean }) => assert.equal(same, true),
    async '/api/v1/export'() {
      assert.ok((await stat(path.join(folder, 'gallery.zip'))).size > 1000);
    },
    '/api/v1/import': ({ faces }: { faces: { added: number } }) => assert.equal(faces.added, 0),
    '/api/v1/faces/automatic': ({ deleted }: { deleted: number }) => assert.equal(deleted, 0),
    '/api/v1/keys': ({ id }: { id?: string }) => id && placeholders.set('0a1b2c3d4e', id),
  };

  const different = run.filter(({ text }, i) => run.findIndex((other) => other.text === text) === i);
  const inOrder = different.sort((a, b) => rank(a.text) - rank(b.text));
  for (const command of inOrder) {
    const { block, text, address } = command;
    it(`${block.document}: ${text}`, async () => {
      if (address === '/api/v1/events') {
        await follow(command);
        return;
      }
      const isLast = commandsOf(block).at(-1) === text;
      const answer = isLast ? answers.find(({ behind }) => behind === block) : undefined;
      const body = await execute(command, answer && JSON.parse(answer.text));
      await shows[address]?.(body as never, command);
    });
  }

  for (const block of blocks.filter((one) => one.language === 'js' && isRun(one))) {
    it(`${block.document}:${block.line} runs, and prints what a frame is answered`, async (t) => {
      const printed: unknown[][] = [];
      let socket: WebSocket | undefined;
      // A page's own, which its session lets in: here a key does.
      class Socket extends WebSocket {
        constructor(address: string) {
          const headers = { 'x-api-key': key };
          super(address.replace(':8443', `:${server.port}`), { headers, rejectUnauthorized: false });
          // eslint-disable-next-line @typescript-eslint/no-this-alias -- what the example keeps to itself is closed here
          socket = this;
        }
      }
      t.after(() => socket?.terminate());
      const log = (...words: unknown[]) => printed.push(words);
      const names = ['WebSocket', 'jpegBytes', 'console'];
      // eslint-disable-next-line @typescript-eslint/no-implied-eval -- it is the document that is tested
      const example = new Function(...names, block.text) as (...given: unknown[]) => void;
      example(Socket, await readFile(path.join(folder, 'a.jpg')), { log });
      await until(() => printed.length > 0);
      const [[frame, faces]] = printed as [[number, { faceid: string }[]]];
      assert.deepEqual([frame, faces.map(({ faceid }) => faceid)], [0, ['default-ada']]);
    });
  }

  it('a backup that is put back has everybody in it, and the keys', async () => {
    const backup = DOCUMENTS.find(({ name }) => name === 'docs/production.md')?.blocks.find(({ text }) =>
      text.includes('tar -C'),
    );
    const place = path.join(folder, 'restored');
    await mkdir(place);
    for (const line of commandsOf(backup ?? { text: '' }).filter((text) => text.startsWith('tar'))) {
      const here = line
        .replace(/kaomon-.*?\.tgz/, path.join(folder, 'backup.tgz'))
        .replace('/opt/kaomon', line.includes(' -cz') ? folder : place);
      const { status, stderr } = spawnSync('sh', ['-c', here], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    }
    const kept = async (root: string) =>
      (await filesBelow(root)).filter((name) => /\.npy$|keys\.json$/.test(name)).sort();
    assert.deepEqual(await kept(path.join(place, 'embeddings')), await kept(env().EMBEDDINGS_DIR));
  });
});
