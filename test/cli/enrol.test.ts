import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import sharp from 'sharp';
import { composeFrame } from '../../src/bench/frames.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import { createGallery } from '../../src/gallery/gallery.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { contentOf } from '../support/batch.js';
import { startKaomon } from '../support/command.js';
import { KNOWN, portrait, writePortraits } from '../support/photographs.js';
import { greyJpeg } from '../support/pictures.js';
import { freePort } from '../support/port.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

/** The command over folders of the test's own. */
const start = (env: Record<string, string>, args: string[]) =>
  startKaomon(['enrol', ...args], { MODEL_PACK: 'faceapi', ...env });

async function runToEnd(env: Record<string, string>, ...args: string[]) {
  const run = start(env, args);
  const { code } = await run.ended;
  return { code, text: run.text() };
}

async function folders(t: TestContext): Promise<{ EMBEDDINGS_DIR: string; CACHE_DIR: string }> {
  return { EMBEDDINGS_DIR: await temporaryFolder(t), CACHE_DIR: await temporaryFolder(t) };
}

async function enrolledIn(folder: string): Promise<Record<string, string[]>> {
  const length = 128;
  const store = createFileStore({ folder, pack: 'faceapi', length, warn: () => undefined });
  const gallery = await createGallery({ pack: 'faceapi', store, index: createExactIndex(length) });
  const content = await contentOf(gallery);
  await gallery.close();
  return content;
}

describe('kaomon enrol', () => {
  it('says in one line what is wrong with its arguments', async (t) => {
    const env = await folders(t);
    const nowhere = path.join(env.CACHE_DIR, 'nowhere');
    for (const [args, says] of [
      [[], /Name one folder or CSV file/],
      [[nowhere], /nowhere cannot be read/],
      [[nowhere, nowhere], /Name one/],
      [['--colour', nowhere], /'--colour'/],
      [['--group', 'a-b', nowhere], /group ID must be/],
    ] as const) {
      const { code, text } = await runToEnd(env, ...args);
      assert.equal(code, 1, text);
      assert.match(text, says);
      assert.ok(!text.includes('    at '), 'no stack');
    }
    assert.equal((await runToEnd(env, '--help')).code, 0);
  });

  it('ends when Redis cannot be reached', async (t) => {
    const redis = { EMBEDDING_STORE: 'redis', EVENT_LOG: 'redis' };
    const env = { ...(await folders(t)), ...redis, REDIS_URL: `redis://127.0.0.1:${await freePort()}` };
    const folder = await temporaryFolder(t);
    await mkdir(path.join(folder, 'ada'));
    await writeFile(path.join(folder, 'ada', '1.jpg'), await greyJpeg(320, 240));
    const run = start(env, [folder]);
    await until(() => run.text().includes('kaomon: EMBEDDING_STORE=redis, but Redis does not answer'));
    // Its last word; what keeps it now would keep it for ever.
    const stuck = setTimeout(() => run.child.kill('SIGKILL'), 20_000);
    assert.deepEqual(await run.ended, { code: 1, signal: null });
    clearTimeout(stuck);
  });
});

describe('kaomon enrol and who is enrolled already', () => {
  it('refuses a face that is another person’s, as the API does, unless it is meant', async (t) => {
    const env = await folders(t);
    const folder = await temporaryFolder(t);
    const picture = await portrait('fay');
    for (const userid of ['ada', 'ken']) {
      await mkdir(path.join(folder, userid));
      await writeFile(path.join(folder, userid, '1.jpg'), picture);
    }
    const { code, text } = await runToEnd(env, folder);
    assert.equal(code, 2, text);
    assert.match(text, /This face is enrolled as (ada|ken)/);
    const forced = await runToEnd(env, folder, '--force');
    assert.equal(forced.code, 0, forced.text);
    assert.equal(Object.keys(await enrolledIn(env.EMBEDDINGS_DIR)).length, 2);
  });

  it('says that it read nothing, and ends with 1, where there is no picture', async (t) => {
    const env = await folders(t);
    const folder = await temporaryFolder(t);
    await mkdir(path.join(folder, 'ada'));
    await writeFile(path.join(folder, 'ada', 'notes.txt'), 'no picture');
    const { code, text } = await runToEnd(env, folder);
    assert.equal(code, 1);
    assert.match(text, /kaomon: There is no picture in .*: nothing was read/);
  });
});

describe('kaomon enrol and the audit', () => {
  it('says in the server’s audit which groups were made, who was enrolled and who was refused', async (t) => {
    const env = await folders(t);
    const folder = await temporaryFolder(t);
    const pictures = { ada: await portrait('fay'), ken: await greyJpeg(320, 240) };
    for (const [userid, picture] of Object.entries(pictures)) {
      await mkdir(path.join(folder, 'staff', userid), { recursive: true });
      await writeFile(path.join(folder, 'staff', userid, '1.jpg'), picture);
    }
    const { code, text } = await runToEnd(env, folder, '--make-groups');
    assert.equal(code, 2, text);
    const lines = (await readFile(path.join(env.EMBEDDINGS_DIR, 'audit.jsonl'), 'utf8'))
      .trimEnd()
      .split('\n');
    const told = lines.map((line) => {
      const entry = JSON.parse(line) as { action: string; whom: Record<string, string>; outcome: string };
      const { groupid, userid = 'nobody' } = entry.whom;
      return `${entry.action} ${groupid} ${userid} ${entry.outcome}`;
    });
    // Several pictures are looked at at a time, and end in any order.
    assert.deepEqual(told.sort(), [
      'enrol staff ada done',
      'enrol staff ken refused',
      'enrol staff nobody done',
    ]);
  });
});

describe('kaomon enrol on real pictures', () => {
  /** Pictures of a few people, one lying on its side, one without a face, one with several. */
  async function pictures(t: TestContext): Promise<string> {
    const folder = await temporaryFolder(t);
    const people = KNOWN.slice(0, 5);
    for (const name of people) await writePortraits(path.join(folder, name), name);
    const others = {
      // SSD finds many a face that lies on its side, and this one not.
      'lying.png': await sharp(await portrait('dot'))
        .rotate(90)
        .png()
        .toBuffer(),
      'empty.jpg': await composeFrame('no face'),
      'crowd.jpg': await composeFrame('32 faces'),
    };
    for (const [name, picture] of Object.entries(others))
      await writeFile(path.join(folder, 'dot', name), picture);
    return folder;
  }

  it('killed at random points and run again equals one clean run, and reports what was not used', async (t) => {
    const folder = await pictures(t);
    const clean = await folders(t);
    const cleanReport = path.join(clean.CACHE_DIR, 'report.json');
    const first = await runToEnd(clean, folder, '--report', cleanReport);
    assert.equal(first.code, 2, first.text);
    t.diagnostic(first.text.trim().split('\n').at(-1) ?? '');
    const expected = await enrolledIn(clean.EMBEDDINGS_DIR);
    assert.equal(Object.keys(expected).length, 5);

    interface Line {
      file: string;
      code: string;
      turned: number;
    }
    const linesOf = async (report: string) => JSON.parse(await readFile(report, 'utf8')) as Line[];
    const lines = await linesOf(cleanReport);
    const about = (name: string) => lines.find(({ file }) => file.endsWith(name));
    assert.equal(about('empty.jpg')?.code, 'NO_FACE');
    assert.equal(about('crowd.jpg')?.code, 'SEVERAL_FACES');
    assert.equal(about('lying.png')?.turned, 270);

    const killed = await folders(t);
    const signals: (string | null)[] = [];
    for (let i = 0; i < 2; i++) {
      const run = start(killed, [folder]);
      const least = 1 + Math.floor(Math.random() * 6);
      run.child.stderr?.on('data', () => {
        if ((run.text().match(/^\d+ of \d+ pictures/gm) ?? []).length >= least) run.child.kill('SIGKILL');
      });
      signals.push((await run.ended).signal);
    }
    assert.ok(signals.includes('SIGKILL'), 'no run was killed');
    const report = path.join(killed.CACHE_DIR, 'report.json');
    assert.equal((await runToEnd(killed, folder, '--report', report)).code, 2);
    assert.deepEqual(await enrolledIn(killed.EMBEDDINGS_DIR), expected);
    const unused = (all: Line[]) =>
      all.filter(({ code }) => code !== '').map(({ file, code }) => `${file} ${code}`);
    assert.deepEqual(unused(await linesOf(report)), unused(lines));
  });

  it('stops after the pictures under way when it is asked to, and goes on later', async (t) => {
    const folder = await pictures(t);
    const env = await folders(t);
    const run = start(env, [folder]);
    // Once: a second signal ends it at once.
    await until(() => /^\d+ of \d+ pictures/m.test(run.text()) || run.child.exitCode !== null);
    run.child.kill('SIGINT');
    const { code } = await run.ended;
    assert.equal(code, 130, run.text());
    assert.match(run.text(), /Run it again to go on/);
    const dry = await runToEnd(env, folder, '--dry-run');
    assert.match(dry.text, /Would enrol \d+, enrolled before [1-9]/);
  });
});
