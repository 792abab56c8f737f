import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

interface Processes {
  listProcesses: () => { pid: number; command: string }[];
}
const script = (name: string) => pathToFileURL(path.join(PROJECT_ROOT, 'scripts', name)).href;
const { listProcesses } = (await import(script('processes.mjs'))) as Processes;

/** A program that does nothing for ever; its number goes into a file. @param stdio of the program */
const startForEver = (name: string, options: string) => `
  const { spawn } = require('node:child_process');
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', '${name}'], ${options});
  child.unref();
  require('node:fs').writeFileSync(__dirname + '/${name}.pid', String(child.pid));`;

/** What can become of a test file. */
const FILES = {
  good: `require('node:test').it('works', () => {});`,
  bad: `require('node:test').it('does not', () => { throw new Error('no'); });`,
  hangs: `require('node:test').it('hangs', async () => {
    ${startForEver('child-of-hangs', "{ stdio: 'ignore' }")}
    await new Promise(() => setInterval(() => {}, 1e6));
  });`,
  leaves: `require('node:test').it('leaves', () => {
    ${startForEver('child-of-leaves', "{ stdio: 'inherit' }")}
  });`,
  leavesQuietly: `require('node:test').it('leaves quietly', () => {
    ${startForEver('child-of-quiet', "{ stdio: 'ignore', detached: true }")}
  });`,
};

interface Ended {
  status: number | null;
  text: string;
}

/** Runs made test files with limits, seconds, in a temporary folder of its own. */
async function runFiles(
  t: TestContext,
  names: (keyof typeof FILES)[],
  limits: { run: number; file: number; grace: number },
  meanwhile: (pid: number, folder: string) => void | Promise<void> = () => undefined,
): Promise<Ended & { folder: string; place: string }> {
  const folder = await temporaryFolder(t);
  const place = path.join(folder, 'place');
  await mkdir(place);
  const files = names.map((name) => path.join(folder, `${name}.test.cjs`));
  for (const [i, name] of names.entries()) await writeFile(files[i], FILES[name]);
  // A file: what Node is told by its command line it would tell every test file.
  const program = path.join(folder, 'run.mjs');
  await writeFile(
    program,
    `import { runTests } from ${JSON.stringify(script('run-tests.mjs'))};
     process.exit(await runTests({
       prepare: async () => ${JSON.stringify(files)},
       limits: ${JSON.stringify(limits)}, from: ${JSON.stringify(folder)},
     }));`,
  );
  const { NODE_TEST_CONTEXT: ofThisRun, ...env } = process.env;
  assert.ok(ofThisRun, 'without it the runner would take itself for a test file of this run');
  const child = spawn(process.execPath, [program], {
    env: { ...env, TMPDIR: place },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const closed = once(child, 'close') as Promise<[number | null]>;
  await meanwhile(child.pid ?? 0, folder);
  const [status] = await closed;
  return { status, text, folder, place };
}

const isThere = (pid: number) => listProcesses().some((one) => one.pid === pid);

async function assertEnded(folder: string, name: string): Promise<void> {
  const pid = Number(await readFile(path.join(folder, `${name}.pid`), 'utf8'));
  assert.ok(!isThere(pid), `${name} is still there`);
}

describe('the run of the tests', () => {
  it('ends a file that hangs or leaves a process, names both with their processes, and counts the others', async (t) => {
    // Somebody else's, by the same name.
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', 'child-of-leaves']);
    t.after(() => other.kill());
    const names = ['good', 'bad', 'hangs', 'leaves', 'leavesQuietly'] as const;
    const { status, text, folder, place } = await runFiles(t, [...names], { run: 300, file: 15, grace: 1 });
    assert.equal(status, 1);
    assert.match(
      text,
      /hangs\.test\.cjs is not done after 15 s; ended now:(\n {4}process.*)*child-of-hangs\n/,
    );
    assert.match(
      text,
      /leaves\.test\.cjs has ended, but a process that it started[^\n]*\n {4}process.*child-of-leaves\n/,
    );
    assert.match(text, /Left behind by the tests, and ended now:\n {4}process.*child-of-quiet\n/);
    // It works, it leaves, it leaves quietly; it does not, it hangs, and what it left.
    assert.match(text, /\n3 passed, 3 failed, 0 skipped\n$/);
    for (const child of ['child-of-hangs', 'child-of-leaves', 'child-of-quiet'])
      await assertEnded(folder, child);
    assert.ok(isThere(other.pid ?? 0));
    assert.deepEqual(await readdir(place), []);
  });

  it('that is over its limit says which files were under way with what they started, and counts', async (t) => {
    const { status, text, folder } = await runFiles(t, ['bad', 'hangs', 'good'], {
      run: 8,
      file: 60,
      grace: 60,
    });
    assert.equal(status, 1);
    assert.match(text, /over its limit of 8 s[^\n]*\n {2}hangs\.test\.cjs, begun \d+ s ago\n/);
    assert.match(text, /process \d+: .*child-of-hangs\n/);
    assert.match(text, /Failed before: bad\.test\.cjs: does not/);
    assert.match(text, /\n1 passed, 2 failed, 0 skipped\n$/);
    await assertEnded(folder, 'child-of-hangs');
  });

  it('does the same when it is told to end, and begins no file any more', async (t) => {
    const names = ['hangs', 'hangs', 'good', 'good'] as const;
    const { status, text } = await runFiles(
      t,
      [...names],
      { run: 300, file: 300, grace: 300 },
      async (pid, folder) => {
        await until(async () => (await readdir(folder)).includes('child-of-hangs.pid'));
        process.kill(pid, 'SIGTERM');
      },
    );
    assert.equal(status, 1);
    assert.match(text, /was ended by SIGTERM.*\n {2}hangs\.test\.cjs, begun/);
    assert.match(text, /\n0 passed, \d failed, 0 skipped\n$/);
  });

  it('removes what a run that was killed has left in the temporary folder, and nothing of one that lives', async (t) => {
    const { pid: dead } = spawnSync(process.execPath, ['--version']);
    const { status, place } = await runFiles(
      t,
      ['good'],
      { run: 300, file: 300, grace: 1 },
      async (_pid, folder) => {
        const at = (number: number) => path.join(folder, 'place', `kaomon-tests-${number}`);
        await mkdir(at(dead));
        await mkdir(at(process.pid));
        await writeFile(path.join(at(dead), 'left'), '');
      },
    );
    assert.equal(status, 0);
    // Made while the run may have begun already: it is the next one's then.
    const second = spawnSync(process.execPath, [
      '--input-type=module',
      '-e',
      `process.env.TMPDIR = ${JSON.stringify(place)};
       (await import(${JSON.stringify(script('test-folder.mjs'))})).useTestFolder();`,
    ]);
    assert.equal(second.status, 0, second.stderr.toString());
    assert.deepEqual(await readdir(place), [`kaomon-tests-${process.pid}`]);
  });
});

describe('a temporary folder', () => {
  it('goes with its process, or, when that is killed, by the next one', async (t) => {
    const place = await temporaryFolder(t);
    const support = JSON.stringify(new URL('../support/temporary.js', import.meta.url).href);
    const program = path.join(place, 'program.mjs');
    await writeFile(
      program,
      `import { writeFileSync } from 'node:fs';
       const { temporaryFolder } = await import(${support});
       const folder = await temporaryFolder({});
       writeFileSync(folder + '/file', '');
       await temporaryFolder({});
       if (process.argv[2] === 'killed') process.kill(process.pid, 'SIGKILL');`,
    );
    const runProgram = (...words: string[]) =>
      spawnSync(process.execPath, [program, ...words], { env: { ...process.env, TMPDIR: place } });
    const left = async () => (await readdir(place)).filter((name) => name.startsWith('kaomon-test-'));
    assert.equal(runProgram('killed').signal, 'SIGKILL');
    assert.equal((await left()).length, 2);
    const living = `kaomon-test-${process.pid}-living`;
    await mkdir(path.join(place, living));
    assert.equal(runProgram().status, 0);
    assert.deepEqual(await left(), [living]);
  });
});

describe('.ci/run', () => {
  /** The script beside a made npm. */
  async function runCi(t: TestContext, npm: string, limit: string): Promise<Ended> {
    const folder = await temporaryFolder(t);
    await mkdir(path.join(folder, '.ci'));
    await mkdir(path.join(folder, 'bin'));
    await writeFile(path.join(folder, '.ci', 'run'), await readFile(path.join(PROJECT_ROOT, '.ci', 'run')));
    await writeFile(path.join(folder, 'bin', 'npm'), `#!/bin/sh\n${npm}`, { mode: 0o755 });
    const PATH = `${path.join(folder, 'bin')}:${process.env.PATH ?? ''}`;
    const child = spawn('bash', [path.join(folder, '.ci', 'run')], {
      env: { PATH, CI_LIMIT: limit },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, text };
  }

  it('says which step was over its limit, ends it and fails', async (t) => {
    const { status, text } = await runCi(t, 'echo "npm $*"; case "$*" in *lint*) sleep 1000;; esac', '6');
    assert.equal(status, 1);
    assert.match(text, /npm ci [^]*npm run --silent lint/);
    assert.match(text, /lint .*over its limit/);
    assert.match(text, /\n0 passed, 1 failed\n$/);
    assert.doesNotMatch(text, /npm test/);
  });

  it('goes through all steps, and hands on how the tests ended', async (t) => {
    const { status, text } = await runCi(
      t,
      'echo "npm $* $TEST_RUN_LIMIT"; case "$*" in test) echo "3 passed, 1 failed"; exit 1;; esac',
      '1800',
    );
    assert.equal(status, 1);
    assert.match(text, /npm ci [^]*npm run [^]*npm run [^]*npm test 1[0-9]{3}\n3 passed, 1 failed\n$/);
    // Side by side: which begins first is chance.
    for (const name of ['lint', 'typecheck']) assert.match(text, new RegExp(`npm run --silent ${name} `));
    assert.equal((await runCi(t, 'exit 0', '1800')).status, 0);
  });
});
