import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createAudit } from '../../src/access/audit.js';
import { type BatchDeps, type BatchResult, runBatch } from '../../src/batch/batch.js';
import { openJournal } from '../../src/batch/journal.js';
import { listPictures } from '../../src/batch/list.js';
import { reportOf } from '../../src/batch/report.js';
import { KaomonError } from '../../src/platform/errors.js';
import { hashPicture } from '../../src/gallery/face-name.js';
import {
  contentOf,
  KINDS,
  LIMITS,
  SETTINGS,
  madeGallery,
  madeVision,
  writePicture,
} from '../support/batch.js';
import { temporaryFolder } from '../support/temporary.js';
import { seededRandom } from '../support/vectors.js';

const CHILD = fileURLToPath(new URL('../support/batch-child.js', import.meta.url));

async function run(
  place: string,
  embeddings: string,
  more: Partial<BatchDeps> = {},
): Promise<{ results: BatchResult[]; content: Record<string, string[]>; outcomes: Record<string, string> }> {
  const gallery = await madeGallery(embeddings);
  const { items } = await listPictures(place, 'default');
  const results = await runBatch(items, { vision: madeVision(), gallery, ...SETTINGS, ...more });
  const content = await contentOf(gallery);
  await gallery.close();
  const outcomes = Object.fromEntries(
    results.map(({ item, outcome, error, turned }) => [
      item.name,
      error?.code ?? `${outcome} ${turned ?? ''}`.trim(),
    ]),
  );
  return { results, content, outcomes };
}

/** Pictures of all kinds: `people` folders with `each` pictures. */
async function madeFolder(t: TestContext, people: number, each: number): Promise<string> {
  const folder = await temporaryFolder(t);
  let face = 1;
  for (let p = 0; p < people; p++) {
    for (let i = 0; i < each; i++, face++) {
      const kind = i % 3 === 2 ? KINDS[(p + i) % KINDS.length] : 'face';
      await writePicture(path.join(folder, `user${p}`, `${i}.png`), kind, face);
    }
  }
  return folder;
}

describe('A batch enrolment', () => {
  it('says of every picture what became of it, and a bad one never changes whose the next one is', async (t) => {
    const folder = await temporaryFolder(t);
    const pictures = [
      ['ann/1.png', 'face', 1],
      ['ann/2.png', 'none', 0],
      ['ann/3.png', 'face', 2],
      ['bob/1.png', 'several', 3],
      ['bob/2.png', 'face', 4],
      ['bob/3.png', 'small', 5],
      ['cid/1.png', 'damaged', 6],
      ['cid/2.png', 'lying', 7],
    ] as const;
    for (const [name, kind, face] of pictures) await writePicture(path.join(folder, name), kind, face);
    await writeFile(path.join(folder, 'cid', 'text.png'), 'no picture');
    const { outcomes, content, results } = await run(folder, await temporaryFolder(t), { inFlight: 1 });
    assert.deepEqual(outcomes, {
      'ann/1.png': 'enrolled',
      'ann/2.png': 'NO_FACE',
      'ann/3.png': 'enrolled',
      'bob/1.png': 'SEVERAL_FACES',
      'bob/2.png': 'enrolled',
      'bob/3.png': 'FACE_TOO_SMALL',
      'cid/1.png': 'IMAGE_UNREADABLE',
      'cid/2.png': 'enrolled 90',
      'cid/text.png': 'IMAGE_FORMAT_UNKNOWN',
    });
    assert.deepEqual(
      Object.entries(content).map(([who, vectors]) => [who, vectors.length]),
      [
        ['default-ann (ann)', 2],
        ['default-bob (bob)', 1],
        ['default-cid (cid)', 1],
      ],
    );
    const alone = await temporaryFolder(t);
    for (const [name, kind, face] of [pictures[0], pictures[2], pictures[4], pictures[7]]) {
      await writePicture(path.join(alone, name), kind, face);
    }
    assert.deepEqual((await run(alone, await temporaryFolder(t))).content, content);
    assert.deepEqual(
      reportOf(results, []).map(({ file, turned }) => [file, turned]),
      [
        ['ann/2.png', 0],
        ['bob/1.png', 0],
        ['bob/3.png', 0],
        ['cid/1.png', 0],
        ['cid/2.png', 90],
        ['cid/text.png', 0],
      ],
    );
  });

  it('refuses a face that is another person’s, also of two who come at once, until it is meant', async (t) => {
    const folder = await temporaryFolder(t);
    for (const who of ['ann', 'bob']) await writePicture(path.join(folder, who, '1.png'), 'face', 1);
    await writePicture(path.join(folder, 'cid', '1.png'), 'face', 2);
    const embeddings = await temporaryFolder(t);
    const journals = await temporaryFolder(t);
    const enrol = async (force: boolean) => {
      const gallery = await madeGallery(embeddings);
      const { items } = await listPictures(folder, 'default');
      const vision = madeVision();
      const journal = await openJournal(journals, ['one']);
      const results = await runBatch(items, {
        ...{ ...SETTINGS, vision, gallery, journal, force },
      });
      journal.close();
      await gallery.close();
      return results;
    };
    const outcomes = (results: BatchResult[]) =>
      results.map(({ outcome, error }) => error?.code ?? outcome).sort();
    const first = await enrol(false);
    assert.deepEqual(outcomes(first), ['OTHER_PERSON', 'enrolled', 'enrolled']);
    assert.match(first.find(({ error }) => error)?.error?.message ?? '', /enrolled as (ann|bob)/);
    assert.deepEqual(outcomes(await enrol(false)), ['OTHER_PERSON', 'known', 'known']);
    assert.deepEqual(outcomes(await enrol(true)), ['enrolled', 'known', 'known']);
  });

  it('turns a picture upright whose face was found lying on its side', async (t) => {
    const folder = await temporaryFolder(t);
    await writePicture(path.join(folder, 'ann', '1.png'), 'lying', 1);
    const made = madeVision();
    let looks = 0;
    const vision: typeof made = {
      async analyze(bytes) {
        looks += 1;
        const seen = await made.analyze(bytes);
        if (seen.faces.length > 0) return seen;
        const quality = { size: 100, sharpness: 100, brightness: 100, roll: -88 };
        const box = { x1: 0, y1: 0, x2: 100, y2: 100 };
        const embedding = Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0);
        const face = { box, probability: 0.99, landmarks: undefined, embedding, quality };
        return { ...seen, faces: [face] };
      },
    };
    const limits = { ...LIMITS, maxRoll: 40 };
    const { outcomes } = await run(folder, await temporaryFolder(t), { vision, limits });
    assert.deepEqual([outcomes, looks], [{ 'ann/1.png': 'enrolled 90' }, 2]);
  });

  it('enrols nobody twice, with the journal or without', async (t) => {
    const folder = await madeFolder(t, 3, 6);
    const embeddings = await temporaryFolder(t);
    const first = await run(folder, embeddings);
    const again = await run(folder, embeddings);
    assert.deepEqual(again.content, first.content);
    assert.ok(!Object.values(again.outcomes).some((outcome) => outcome.startsWith('enrolled')));
  });

  it('looks at no picture again that an earlier run has written down, unless it is asked to', async (t) => {
    const folder = await madeFolder(t, 2, 6);
    const [embeddings, journals] = [await temporaryFolder(t), await temporaryFolder(t)];
    const once = await openJournal(journals, ['a']);
    const first = await run(folder, embeddings, { journal: once });
    once.close();
    const journal = await openJournal(journals, ['a']);
    const looks: Uint8Array[] = [];
    const vision = madeVision();
    const counting = { analyze: (bytes: Uint8Array) => (looks.push(bytes), vision.analyze(bytes)) };
    const second = await run(folder, embeddings, { journal, vision: counting });
    assert.deepEqual(looks, []);
    assert.deepEqual(second.content, first.content);
    assert.deepEqual(
      reportOf(second.results, []).filter(({ outcome }) => outcome === 'refused'),
      reportOf(first.results, []).filter(({ outcome }) => outcome === 'refused'),
    );
    await run(folder, embeddings, { journal, vision: counting, again: true });
    assert.ok(looks.length > 0);
    journal.close();
  });

  it('enrols again who was deleted since', async (t) => {
    const folder = await madeFolder(t, 2, 2);
    const [embeddings, journals] = [await temporaryFolder(t), await temporaryFolder(t)];
    const journal = await openJournal(journals, ['a']);
    const first = await run(folder, embeddings, { journal });
    const gallery = await madeGallery(embeddings);
    await gallery.remove('default', 'user0');
    await gallery.close();
    assert.deepEqual((await run(folder, embeddings, { journal })).content, first.content);
    journal.close();
  });

  it('writes nothing in a dry run', async (t) => {
    const folder = await madeFolder(t, 2, 3);
    const { outcomes, content } = await run(folder, await temporaryFolder(t), { dryRun: true });
    assert.equal(outcomes['user0/0.png'], 'enrolled');
    assert.deepEqual(content, {});
  });

  it('puts into the audit whom it enrolled, renamed and refused, and nothing twice', async (t) => {
    const folder = await temporaryFolder(t);
    await writePicture(path.join(folder, 'ann', '1.png'), 'face', 1);
    await writePicture(path.join(folder, 'bob', '1.png'), 'none', 2);
    await writePicture(path.join(folder, 'cid', '1.png'), 'lying', 3);
    const [embeddings, journals] = [await temporaryFolder(t), await temporaryFolder(t)];
    const file = path.join(embeddings, 'audit.jsonl');
    const deps = { audit: createAudit({ file }), journal: await openJournal(journals, ['a']), inFlight: 1 };
    await run(folder, embeddings, { audit: deps.audit, dryRun: true });
    await assert.rejects(readFile(file), 'a dry run does nothing to anybody');
    await run(folder, embeddings, deps);
    await run(folder, embeddings, deps);
    const list = path.join(folder, 'list.csv');
    await writeFile(list, 'userid,file,username\nann,ann/1.png,Ann Lee\n');
    await run(list, embeddings, { ...deps, journal: await openJournal(journals, ['b']) });

    const gallery = await madeGallery(embeddings);
    const faceOf = async (userid: string) => (await gallery.person(`default-${userid}`))?.faces[0].id;
    const [annsFace, cidsFace] = await Promise.all(['ann', 'cid'].map(faceOf));
    await gallery.close();
    const who = { who: 'command line', address: 'command line' };
    const [ann, bob, cid] = ['ann', 'bob', 'cid'].map((userid) => ({ groupid: 'default', userid }));
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => ({ ...(JSON.parse(line) as object), time: undefined })),
      [
        { ...who, action: 'enrol', whom: { ...ann, id: annsFace }, outcome: 'done' },
        { ...who, action: 'enrol', whom: bob, outcome: 'refused', status: 422 },
        { ...who, action: 'enrol', whom: { ...cid, id: cidsFace }, outcome: 'done' },
        { ...who, action: 'change', whom: ann, outcome: 'done' },
      ].map((line) => ({ ...line, time: undefined })),
    );
  });

  it('takes over the name of a row whose name alone has changed, once, and says so in the audit', async (t) => {
    const folder = await temporaryFolder(t);
    await writePicture(path.join(folder, '1.png'), 'face', 1);
    const list = path.join(folder, 'list.csv');
    const [embeddings, journals] = [await temporaryFolder(t), await temporaryFolder(t)];
    const file = path.join(embeddings, 'audit.jsonl');
    const deps = { audit: createAudit({ file }), journal: await openJournal(journals, ['a']) };
    const enrol = async (username: string, more: Partial<BatchDeps> = {}) => {
      await writeFile(list, `userid,file,username\nann,1.png,${username}\n`);
      const { outcomes, content } = await run(list, embeddings, { ...deps, ...more });
      return [...Object.values(outcomes), ...Object.keys(content)];
    };
    assert.deepEqual(await enrol('Ann'), ['enrolled', 'default-ann (Ann)']);
    assert.deepEqual(await enrol('Ann Lee', { dryRun: true }), ['known', 'default-ann (Ann)']);
    assert.deepEqual(await enrol('Ann Lee'), ['known', 'default-ann (Ann Lee)']);
    // Somebody gives her another name on the page: the row, which is as it was, does not take it back.
    const gallery = await madeGallery(embeddings);
    await gallery.updatePerson('default-ann', { username: 'Dr Lee' });
    await gallery.close();
    assert.deepEqual(await enrol('Ann Lee'), ['known', 'default-ann (Dr Lee)']);
    assert.deepEqual(await enrol('Ann Lee', { again: true }), ['known', 'default-ann (Dr Lee)']);
    assert.deepEqual(await enrol('Ann Li', { again: true }), ['known', 'default-ann (Ann Li)']);
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    const actions = lines.map((line) => (JSON.parse(line) as { action: string }).action);
    assert.deepEqual(actions, ['enrol', 'change', 'change']);
  });

  it('knows a picture again by its bytes, whatever the network makes of it now and whoever enrolled it', async (t) => {
    const folder = await madeFolder(t, 1, 2);
    const gallery = await madeGallery(await temporaryFolder(t));
    const { items } = await listPictures(folder, 'default');
    const bytes = new Uint8Array(await readFile(items[0].file));
    const vector = Float32Array.of(0, 0, 0, 0, 0, 0, 0, 1);
    const picture = await hashPicture(bytes);
    await gallery.enrol({ groupid: 'default', userid: items[0].userid, picture }, vector);
    const results = await runBatch(items, { vision: madeVision(), gallery, ...SETTINGS, inFlight: 1 });
    assert.deepEqual(
      results.map(({ outcome }) => outcome),
      ['known', 'enrolled'],
    );
    assert.equal(gallery.info().faces, 2);
  });

  it('ends when the gallery cannot be written, and does not count the picture as bad', async (t) => {
    const folder = await madeFolder(t, 2, 3);
    const gallery = await madeGallery(await temporaryFolder(t));
    const full = new KaomonError('STORE_UNAVAILABLE', 'The disk is full.');
    const broken = { ...gallery, enrolOnce: () => Promise.reject(full) };
    const { items } = await listPictures(folder, 'default');
    const deps = { vision: madeVision(), gallery: broken, ...SETTINGS };
    await assert.rejects(runBatch(items, { ...deps, inFlight: 2 }), full);
  });

  it('killed at random points and run again, equals one clean run', async (t) => {
    const seed = Date.now() % 100_000;
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    const folder = await madeFolder(t, 12, 10);
    const clean = await run(folder, await temporaryFolder(t));
    const [embeddings, journals] = [await temporaryFolder(t), await temporaryFolder(t)];
    const signals: (string | null)[] = [];
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, [CHILD, folder, embeddings, journals], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const last = Math.floor(random() * 40);
      const lines: string[] = [];
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.startsWith('enrolled') && lines.push(line) > last) child.kill('SIGKILL');
      });
      const [, signal] = (await once(child, 'close')) as [number | null, string | null];
      signals.push(signal);
    }
    assert.ok(signals.includes('SIGKILL'), 'no run was killed');
    const journal = await openJournal(journals, [folder]);
    const rest = await run(folder, embeddings, { journal });
    journal.close();
    assert.deepEqual(rest.content, clean.content);
    const unused = ({ results }: typeof rest) =>
      reportOf(results, []).filter(({ outcome }) => outcome === 'refused');
    assert.deepEqual(unused(rest), unused(clean));
  });
});
