import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createKeys } from '../../src/access/keys.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { portrait, scene } from '../support/photographs.js';
import { startServer, type TestServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

const CURL_MISSING = spawnSync('curl', ['--version']).status === 0 ? false : 'needs curl';

/** Lines that enrol somebody whom other lines ask for: on an empty gallery a user runs them first. */
const ENROLS = /face_register|\?create=true/;

interface Command {
  document: string;
  /** As it stands in the document, over several lines where it does. */
  text: string;
  /** Without host and query. */
  address: string;
}

const documents = [
  'README.md',
  ...readdirSync(path.join(PROJECT_ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].map((document) => ({ document, text: readFileSync(path.join(PROJECT_ROOT, document), 'utf8') }));

const commands = documents
  .flatMap(({ document, text }) =>
    [...text.matchAll(/^```\w*\n(.*?)^```$/gms)]
      .flatMap(([, block]) => block.split(/(?<!\\)\n/))
      .filter((line) => /^[^#]*\bcurl -/.test(line))
      .map((line): Command => ({
        ...{ document, text: line },
        address: /https:\/\/localhost:8443(\/[^\s"?]*)/.exec(line)?.[1] ?? '',
      })),
  )
  .sort((a, b) => Number(ENROLS.test(b.text)) - Number(ENROLS.test(a.text)));

interface Ended {
  code: number;
  status: string | undefined;
  /** What curl wrote on standard output and, where that is JSON, what it says. */
  body: unknown;
  stderr: string;
}

describe('the curl lines of the documents', { skip: CURL_MISSING }, () => {
  let folder: string;
  let server: TestServer;
  let key: string;

  before(async () => {
    folder = await temporaryFolder({ after });
    const KEYS_FILE = path.join(folder, 'keys.json');
    ({ key } = await createKeys({ file: KEYS_FILE }).add({ name: 'reader', role: 'admin' }));
    server = await startServer({
      ...{ MODEL_PACK: 'faceapi', AUTH: 'key', KEYS_FILE, CACHE_DIR: path.join(folder, 'cache') },
      EMBEDDINGS_DIR: path.join(folder, 'embeddings'),
    });
    // As large as a camera's: what goes through a command line's arguments must be small, and a reader's is not.
    const [ada, yuki] = await Promise.all([portrait('fay', { size: 1500 }), portrait('hue', { size: 1500 })]);
    assert.ok(ada.length > 200_000);
    const files = { 'a.jpg': ada, 'portrait.jpg': ada, 'b.jpg': yuki, 'yuki.jpg': yuki };
    for (const [name, bytes] of Object.entries(files)) await writeFile(path.join(folder, name), bytes);
    await writeFile(path.join(folder, 'frame.jpg'), await scene(6));
    // The lines are run to the letter: curl itself is told where their server is.
    await writeFile(
      path.join(folder, '.curlrc'),
      `silent\nshow-error\nmax-time = 60\ndump-header = "${folder}/headers"\n` +
        `connect-to = "localhost:8443:127.0.0.1:${server.port}"\n`,
    );
  });
  after(() => server.end());

  function launch({ text }: Command): { child: ChildProcess; ended: Promise<Ended>; stdout: () => string } {
    const child = spawn('sh', ['-c', text], {
      cwd: folder,
      env: { PATH: process.env.PATH, CURL_HOME: folder, KEY: key },
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

  async function run(command: Command): Promise<unknown> {
    await writeFile(path.join(folder, 'headers'), '');
    const { code, status, body, stderr } = await launch(command).ended;
    assert.equal(code, 0, stderr);
    assert.match(status ?? '', /^20[01]$/, JSON.stringify(body));
    return body;
  }

  /** A stream has no end: it is read until it has told of something that happens. */
  async function follow(command: Command): Promise<void> {
    await writeFile(path.join(folder, 'headers'), '');
    const { child, ended, stdout } = launch(command);
    try {
      await until(() => stdout() !== '' || child.exitCode !== null);
      const made = await server.post('/api/v1/groups', {
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        payload: Buffer.from('{"groupid": "staff", "groupname": "Staff"}'),
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
    '/api/face_recognizer'(faces: { faceid: string }[]) {
      const readme = documents[0].text;
      const [shown] = JSON.parse(/^```json\n(.*?)^```$/ms.exec(readme)?.[1] ?? '') as object[];
      const found = faces.find(({ faceid }) => faceid === 'default-yuki');
      assert.deepEqual(Object.keys(found ?? {}), Object.keys(shown), 'as the README shows it');
    },
    '/api/v1/people'({ people }: { people: { faceid: string; username: string }[] }) {
      const names = people.map(({ faceid, username }) => `${faceid} ${username}`);
      assert.deepEqual(names.sort(), ['default-ada Ada', 'default-yuki yuki']);
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
    '/api/v1/import': ({ faces }: { faces: object }) => assert.deepEqual(faces, { added: 0, skipped: 2 }),
    '/api/v1/faces/automatic': ({ deleted }: { deleted: number }) => assert.equal(deleted, 0),
  };

  it('are all found', () => {
    const inText = documents.flatMap(({ text }) => text.match(/\bcurl -/g) ?? []).length;
    assert.equal(commands.length, inText, 'each is a command of its own in a code block');
    for (const { document } of documents.filter(({ document }) => /README|api\.md/.test(document))) {
      assert.ok(
        commands.some((command) => command.document === document),
        document,
      );
    }
  });

  for (const command of commands) {
    const { document, text, address } = command;
    it(`${document}: ${text}`, async () => {
      if (address === '/api/v1/events') {
        await follow(command);
        return;
      }
      const body = await run(command);
      await shows[address]?.(body as never, command);
    });
  }
});
