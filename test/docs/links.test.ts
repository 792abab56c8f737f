import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { PROJECT_ROOT } from '../../src/root.js';

const DOCS = path.join(PROJECT_ROOT, 'docs');
const documents = [
  path.join(PROJECT_ROOT, 'README.md'),
  ...readdirSync(DOCS)
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(DOCS, name)),
];

it('every document names only files that are there, and the README leads to every document', () => {
  const reached = new Set<string>();
  for (const document of documents) {
    for (const [, target] of readFileSync(document, 'utf8').matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const file = path.resolve(path.dirname(document), target);
      assert.ok(
        existsSync(file),
        `${path.relative(PROJECT_ROOT, document)} leads to ${target}, which is not there`,
      );
      if (document === documents[0]) reached.add(file);
    }
  }
  for (const document of documents.slice(1)) {
    assert.ok(reached.has(document), `README.md does not lead to ${path.relative(PROJECT_ROOT, document)}`);
  }
});
