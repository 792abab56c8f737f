#!/usr/bin/env node
/**
 * Compiles TypeScript: `src` and `test` file by file into `dist/`, the pages' scripts and styles bundled into
 * `public/assets/`, the pages themselves into `dist/pages/`. Types are checked separately (`npm run typecheck`), so that a
 * build takes a few seconds at most. `--maps`: with source maps of the pages' scripts, for a debugger.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { compressBelow, drawIcons, hashOf, writePages } from './pages.mjs';
import { buildWords } from './words.mjs';
import { filesBelow, isNewer, PROJECT_ROOT, writeStamp } from './support.mjs';

/**
 * Packages of hundreds of small files are bundled: finding and opening 700 files costs a start half a second. All
 * others are loaded from node_modules.
 */
const BUNDLED = ['typebox', 'typebox/value', 'typebox/compile', '@fastify/type-provider-typebox'];
const BUNDLES = path.join(PROJECT_ROOT, 'dist', 'packages');

/** @param {string} name of a bundled package */
const bundleOf = (name) => path.join(BUNDLES, `${name.replaceAll('/', '-').replace('@', '')}.js`);

/**
 * Leaves every import as it is, except those of bundled packages.
 * @type {import('esbuild').Plugin}
 */
const IMPORTS = {
  name: 'imports',
  setup(build) {
    build.onResolve({ filter: /./ }, ({ kind, path: name, importer }) => {
      if (kind === 'entry-point') return undefined;
      if (!BUNDLED.includes(name)) return { path: name, external: true };
      const from = path.join(PROJECT_ROOT, 'dist', path.relative(PROJECT_ROOT, path.dirname(importer)));
      return { path: path.relative(from, bundleOf(name)), external: true };
    });
  },
};

const STAMP = path.join(PROJECT_ROOT, 'dist', '.built');

const ASSETS = path.join(PROJECT_ROOT, 'public', 'assets');
const PAGES = path.join(PROJECT_ROOT, 'dist', 'pages');

/** Whether anything under src/, test/ or of what builds them changed since the last build. */
export function buildIsStale() {
  const own = ['build', 'pages', 'words'].map((name) => path.join(PROJECT_ROOT, 'scripts', `${name}.mjs`));
  const icon = path.join(PROJECT_ROOT, 'public', 'icon.svg');
  const sources = [...filesBelow('src'), ...filesBelow('test'), ...own, icon];
  return sources.some((file) => isNewer(file, STAMP));
}

/** Builds everything; throws when a file does not parse. */
export async function build() {
  const { build: esbuild } = await import('esbuild');
  // Not the addons, which native/build.mjs puts there.
  for (const folder of ['src', 'test', 'packages'])
    rmSync(path.join(PROJECT_ROOT, 'dist', folder), { recursive: true, force: true });
  const typescript = (/** @type {string} */ folder) =>
    filesBelow(folder).filter((file) => /\.ts$/.test(file) && !/\.d\.ts$/.test(file));
  const browser = path.join(PROJECT_ROOT, 'src', 'browser') + path.sep;
  /** The part of the pages that needs no browser: tests import it. */
  const logic = path.join(browser, 'logic') + path.sep;
  const runsInNode = (/** @type {string} */ file) => !file.startsWith(browser) || file.startsWith(logic);
  /** @type {import('esbuild').BuildOptions} */
  const node = {
    absWorkingDir: PROJECT_ROOT,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    logLevel: 'warning',
  };
  await esbuild({
    ...node,
    entryPoints: Object.fromEntries(BUNDLED.map((name) => [path.basename(bundleOf(name), '.js'), name])),
    outdir: BUNDLES,
    splitting: true,
    // What they import themselves (fastify) is not bundled.
    external: ['fastify', 'fastify-plugin', 'fastify/*'],
  });
  await esbuild({
    ...node,
    plugins: [IMPORTS],
    entryPoints: [...typescript('src').filter(runsInNode), ...typescript('test')],
    outdir: 'dist',
    outbase: '.',
  });
  await buildPages(esbuild, typescript('src/browser/pages'));
  writeStamp(STAMP, '');
}

/**
 * Builds what a browser is sent. Every file of public/assets has a hash of its content in its name, so that a browser may
 * keep it for ever and never mixes two versions.
 * @param {typeof import('esbuild').build} esbuild @param {string[]} scripts
 */
async function buildPages(esbuild, scripts) {
  rmSync(ASSETS, { recursive: true, force: true });
  mkdirSync(ASSETS, { recursive: true });
  /** @type {import('esbuild').BuildOptions} */
  const common = {
    absWorkingDir: PROJECT_ROOT,
    outdir: 'public/assets',
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    logLevel: 'warning',
  };
  const { metafile } = await esbuild({
    ...common,
    entryPoints: [...scripts, ...filesBelow('src/browser/styles/pages')].map((file) => ({
      in: file,
      out: path.parse(file).name,
    })),
    entryNames: '[name]-[hash]',
    splitting: true,
    sourcemap: process.argv.includes('--maps'),
    metafile: true,
  });
  const addresses = await drawIcons(ASSETS);
  const preloads = new Map();
  /** @param {string} output @returns {string[]} all that it imports, and that those import */
  const importsOf = (output) =>
    metafile.outputs[output].imports
      .filter(({ kind }) => kind === 'import-statement')
      .flatMap(({ path: imported }) => [imported, ...importsOf(imported)]);
  const addressOf = (/** @type {string} */ output) => output.slice('public'.length);
  for (const [output, { entryPoint }] of Object.entries(metafile.outputs)) {
    if (!entryPoint) continue;
    const { name, ext } = path.parse(entryPoint);
    addresses.set(`/assets/${name}${ext.replace('ts', 'js')}`, addressOf(output));
    preloads.set(addressOf(output), [...new Set(importsOf(output))].map(addressOf));
  }

  const { LANGUAGES } = await import(
    pathToFileURL(path.join(PROJECT_ROOT, 'dist', 'src', 'browser', 'logic', 'language.js')).href
  );
  const { wordsOf } = await import(
    pathToFileURL(path.join(PROJECT_ROOT, 'dist', 'src', 'browser', 'logic', 'texts.js')).href
  );
  const languages = Object.fromEntries(
    LANGUAGES.map((/** @type {string} */ language) => [language, wordsOf(language)]),
  );
  const words = await buildWords(esbuild, common, metafile, languages);
  writePages(PAGES, languages, { addresses, preloads, words });

  const files = ['/assets/plain.css', '/assets/offline.js', '/icon.svg'].map((plain) => addresses.get(plain));
  const texts = Object.keys(languages).map((language) =>
    readFileSync(path.join(PAGES, language, 'offline.html'), 'utf8'),
  );
  await esbuild({
    ...common,
    entryPoints: ['src/browser/worker/sw.ts'],
    outdir: 'dist/pages',
    format: 'iife',
    define: { OFFLINE: JSON.stringify({ name: `offline-${hashOf(texts.join(''))}`, files }) },
  });
  await Promise.all([ASSETS, PAGES].map(compressBelow));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
