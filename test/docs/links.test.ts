import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { PROJECT_ROOT } from '../../src/platform/root.js';

const DOCS = path.join(PROJECT_ROOT, 'docs');
const documents = [
  path.join(PROJECT_ROOT, 'README.md'),
  ...readdirSync(DOCS)
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(DOCS, name)),
];

/** The headings of a document as what is shown makes anchors of them: small letters, hyphens, no other signs. */
const anchorsOf = (file: string) =>
  [...readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

it('every document names only files and headings that are there, and the README leads to every document', () => {
  const reached = new Set<string>();
  for (const document of documents) {
    for (const [, target] of readFileSync(document, 'utf8').matchAll(/\]\(([^)]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [name, anchor] = target.split('#');
      const file = name === '' ? document : path.resolve(path.dirname(document), name);
      assert.ok(
        existsSync(file),
        `${path.relative(PROJECT_ROOT, document)} leads to ${target}, which is not there`,
      );
      if (document === documents[0]) reached.add(file);
      if (!target.includes('#')) continue;
      assert.ok(
        anchorsOf(file).includes(anchor),
        `${path.relative(PROJECT_ROOT, document)} leads to ${target}, where no heading has that name`,
      );
    }
  }
  for (const document of documents.slice(1)) {
    assert.ok(reached.has(document), `README.md does not lead to ${path.relative(PROJECT_ROOT, document)}`);
  }
});

it('contributing.md names only functions that are in the files it names them with', () => {
  const text = readFileSync(path.join(DOCS, 'contributing.md'), 'utf8');
  for (const item of text.split(/\n(?=\n|\d\. )/)) {
    const sources = [...item.matchAll(/`(src\/[\w./-]+)`/g)].map(([, file]) => path.join(PROJECT_ROOT, file));
    if (sources.length !== 1 || !existsSync(sources[0])) continue;
    const source = readFileSync(sources[0], 'utf8');
    for (const [, word] of item.matchAll(/`([a-z]+[A-Z]\w*)`/g))
      assert.ok(source.includes(word), `${sources[0]} has no ${word}`);
  }
});
