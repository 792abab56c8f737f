import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { listSamples } from '../../src/accuracy/samples.js';
import { temporaryFolder } from '../support/temporary.js';

/** Writes files whose content is their own path, unless another is given. */
async function lay(
  t: TestContext,
  files: readonly (string | [file: string, content: string])[],
): Promise<string> {
  const root = await temporaryFolder(t);
  for (const one of files) {
    const [file, content] = typeof one === 'string' ? [one, one] : one;
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), content);
  }
  return root;
}

/** Paths below the root with their labels. */
const told = (root: string, samples: readonly { file: string; label: string }[]) =>
  samples.map(({ file, label }) => `${path.relative(root, file)} of ${path.relative(root, label)}`);

describe('the pictures of an evaluation', () => {
  it('are those below each folder of people, whatever its name, and nothing else', async (t) => {
    const root = await lay(t, [
      'p/山田 太郎/1.jpg',
      'p/山田 太郎/去年/2.JPG',
      'p/ken/a.png',
      'p/ken/notes.txt',
      'p/ken/.x/b.jpg',
    ]);
    const { samples, notes } = await listSamples({ people: [path.join(root, 'p')], strangers: [] });
    assert.deepEqual(told(root, samples), [
      'p/ken/a.png of p/ken',
      'p/山田 太郎/1.jpg of p/山田 太郎',
      'p/山田 太郎/去年/2.JPG of p/山田 太郎',
    ]);
    assert.deepEqual(notes, [
      '1 of 2 people have only one picture: they are only compared with other people.',
    ]);
  });

  it('tell what is nobody’s, empty, or looks like folders of people', async (t) => {
    const root = await lay(t, [
      'p/group.jpg',
      'p/ken/1.jpg',
      'p/ken/2.jpg',
      'p/staff/mai/1.jpg',
      'p/staff/rin/1.jpg',
      'p/gone/x.txt',
    ]);
    const { samples, notes } = await listSamples({ people: [path.join(root, 'p')], strangers: [] });
    assert.deepEqual(told(root, samples), [
      'p/ken/1.jpg of p/ken',
      'p/ken/2.jpg of p/ken',
      'p/staff/mai/1.jpg of p/staff',
      'p/staff/rin/1.jpg of p/staff',
    ]);
    assert.match(notes.join('\n'), /1 picture directly in .*p left out: whose they are is not known\./);
    assert.match(notes.join('\n'), /gone has no pictures\./);
    assert.match(
      notes.join('\n'),
      /staff is taken for one person; if its 2 folders are people, give it as PEOPLE\./,
    );
  });

  it('count once what is there twice, under one name or two', async (t) => {
    const same = 'the same bytes';
    const root = await lay(t, [
      ['p/ken/1.jpg', same],
      ['p/ken/copy.jpg', same],
      'p/ken/2.jpg',
      ['p/mai/1.jpg', same],
      ['s/1.jpg', same],
    ]);
    const { samples, notes } = await listSamples({
      people: [path.join(root, 'p')],
      strangers: [path.join(root, 's')],
    });
    assert.deepEqual(told(root, samples), ['p/ken/1.jpg of p/ken', 'p/ken/2.jpg of p/ken']);
    assert.equal(notes.filter((line) => / is a copy of (?!.*under another)/.test(line)).length, 1);
    assert.equal(notes.filter((line) => line.includes('under another name')).length, 2);
  });

  it('take strangers in folders for one person each, and those beside for anybody', async (t) => {
    const root = await lay(t, ['p/ken/1.jpg', 's/aya/1.jpg', 's/aya/2.jpg', 's/x.jpg', 's/y.jpg']);
    const { samples } = await listSamples({
      people: [path.join(root, 'p')],
      strangers: [path.join(root, 's')],
    });
    assert.deepEqual(told(root, samples).slice(1), [
      's/aya/1.jpg of s/aya',
      's/aya/2.jpg of s/aya',
      's/x.jpg of s',
      's/y.jpg of s',
    ]);
    const units = new Set(samples.slice(1).map(({ unit }) => unit));
    assert.equal(units.size, 3);
    assert.deepEqual(new Set(samples.map(({ isPerson }) => isPerson)), new Set([true, false]));
  });

  it('follow links, and a link that leads back comes to an end', async (t) => {
    const root = await lay(t, ['elsewhere/1.jpg', 'p/ken/1.jpg']);
    await symlink(path.join(root, 'elsewhere'), path.join(root, 'p', 'mai'));
    await symlink(path.join(root, 'p', 'ken'), path.join(root, 'p', 'ken', 'again'));
    await symlink(path.join(root, 'nowhere'), path.join(root, 'p', 'lost'));
    const { samples } = await listSamples({ people: [path.join(root, 'p')], strangers: [] });
    assert.deepEqual(told(root, samples), ['p/ken/1.jpg of p/ken', 'p/mai/1.jpg of p/mai']);
  });

  it('leave out pictures and folders by whole names at the end of their paths', async (t) => {
    const root = await lay(t, ['p/ken/1.jpg', 'p/ken/11.jpg', 'p/token/1.jpg', 's/aya/1.jpg']);
    const folders = { people: [path.join(root, 'p')], strangers: [path.join(root, 's')] };
    const { samples, notes } = await listSamples({ ...folders, except: ['ken/1.jpg', 'aya/'] });
    assert.deepEqual(told(root, samples), ['p/ken/11.jpg of p/ken', 'p/token/1.jpg of p/token']);
    assert.ok(notes.includes('Left out by --except aya/: 1 picture.'));
    await assert.rejects(listSamples({ ...folders, except: ['kenn'] }), {
      code: 'SETUP',
      message: '--except kenn: there is no picture or folder of that name.',
    });
  });

  it('need a folder that can be read', async (t) => {
    const root = await lay(t, ['p/ken/1.jpg']);
    await assert.rejects(listSamples({ people: [path.join(root, 'q')], strangers: [] }), { code: 'SETUP' });
  });
});
