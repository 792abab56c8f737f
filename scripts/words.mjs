/**
 * The texts that a page's script uses, a file for each page and language: all texts together would be a quarter of a page's
 * weight. A page's HTML names its own (`data-words`), and src/browser/lib/i18n.ts imports it.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { PROJECT_ROOT } from './support.mjs';

const WORDS = 'src/browser/logic/words/';

/** @param {string} file */
const read = (file) => readFileSync(path.join(PROJECT_ROOT, file), 'utf8');

/**
 * Finds the texts that a source uses.
 * @param {string} file
 * @returns {string[]} their names, and perhaps words that name none
 * @throws Error for one that is not used by its name, and would be missing
 */
function usedIn(file) {
  const source = read(file);
  const loose = /\bwords\[[^\]]*\]|(?:\.\.\.|\} = )words\b(?!\.)/.exec(source)?.[0];
  if (loose !== undefined) throw new Error(`${file}: name the text, as in words.NAME, for "${loose}".`);
  return [...source.matchAll(/\bwords\.(\w+)/g)].map(([, name]) => name);
}

/**
 * Leaves out of a file of texts what a page does not use, by its lines as the formatter lays them out.
 * @param {string} source @param {(name: string) => boolean} isUsed
 */
function onlyUsed(source, isUsed) {
  let isKept = true;
  let isInside = false;
  const kept = source.split('\n').filter((line) => {
    if (line.startsWith('export const ')) isInside = true;
    else if (line === '};') isInside = false;
    const [, name] = /^ {2}(\w+):/.exec(line) ?? [];
    if (!isInside) isKept = true;
    else if (name !== undefined) isKept = isUsed(name);
    return isKept;
  });
  return kept.join('\n');
}

/**
 * Writes the texts of every page into public/assets.
 * @param {typeof import('esbuild').build} esbuild
 * @param {import('esbuild').BuildOptions} common how the pages' scripts are built
 * @param {import('esbuild').Metafile} metafile of the pages' scripts
 * @param {Record<string, Record<string, unknown>>} languages all texts of each
 * @returns {Promise<Map<string, string>>} the addresses, by script and language: `people ja`
 */
export async function buildWords(esbuild, common, { outputs }, languages) {
  /** @type {(output: string) => string[]} the sources in it, and in all that it may load */
  const sourcesOf = (output) => {
    const reached = new Set([output]);
    for (const each of reached)
      for (const { path: imported, external } of outputs[each].imports) if (!external) reached.add(imported);
    return [...reached].flatMap((each) => Object.keys(outputs[each].inputs));
  };
  /** @type {Map<string, string>} */
  const addresses = new Map();
  const scripts = Object.entries(outputs).filter(([, { entryPoint }]) =>
    entryPoint?.includes('/browser/pages/'),
  );
  const jobs = scripts.flatMap(([output, { entryPoint = '' }]) => {
    const sources = [...new Set(sourcesOf(output))].filter((file) => !file.includes('node_modules'));
    const used = new Set(sources.flatMap(usedIn));
    return Object.entries(languages).map(async ([language, texts]) => {
      const names = Object.keys(texts).filter((name) => used.has(name));
      if (names.length === 0) return;
      const page = path.parse(entryPoint).name;
      const file = await build(language, `words-${page}-${language}`, names);
      addresses.set(`${page} ${language}`, file.slice('public'.length));
    });
  });
  await Promise.all(jobs);
  return addresses;

  /** @param {string} language @param {string} out @param {string[]} names */
  async function build(language, out, names) {
    const isUsed = (/** @type {string} */ name) => names.includes(name);
    const built = await esbuild({
      ...common,
      entryPoints: [{ in: `words:${language}`, out }],
      entryNames: '[name]-[hash]',
      metafile: true,
      plugins: [
        {
          name: 'words',
          setup({ onResolve, onLoad }) {
            onResolve({ filter: /^words:/ }, ({ path: name }) => ({ path: name, namespace: 'words' }));
            onLoad({ filter: /./, namespace: 'words' }, () => ({
              contents: `export { ${language.toUpperCase()} as words } from './${WORDS}${language}.ts';`,
              resolveDir: PROJECT_ROOT,
            }));
            onLoad({ filter: /\/words\/\w+\/[\w-]+\.ts$/ }, ({ path: file }) => ({
              contents: onlyUsed(readFileSync(file, 'utf8'), isUsed),
              loader: 'ts',
            }));
          },
        },
      ],
    });
    const [file] = Object.keys(built.metafile.outputs);
    const { words } = await import(pathToFileURL(path.join(PROJECT_ROOT, file)).href);
    const lacking = names.find((name) => !(name in words));
    if (lacking !== undefined || Object.keys(words).length !== names.length)
      throw new Error(
        `${file} should have ${names.length} texts and has others${lacking ? `, not ${lacking}` : ''}.`,
      );
    return file;
  }
}
