#!/usr/bin/env node
/**
 * Compiles TypeScript: `src` and `test` file by file into `dist/`, the pages' scripts bundled into `public/assets/`.
 * Types are checked separately (`npm run typecheck`), so that a build takes a fraction of a second.
 */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
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

/** Whether anything under src/, test/ or scripts/build.mjs changed since the last build. */
export function buildIsStale() {
  const sources = [...filesBelow('src'), ...filesBelow('test'), fileURLToPath(import.meta.url)];
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
  const pages = typescript('src/browser/pages');
  await esbuild({
    absWorkingDir: PROJECT_ROOT,
    entryPoints: pages,
    outdir: 'public/assets',
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    sourcemap: true,
    logLevel: 'warning',
  });
  await esbuild({
    absWorkingDir: PROJECT_ROOT,
    entryPoints: { pages: 'src/browser/styles/index.css' },
    outdir: 'public/assets',
    bundle: true,
    target: 'es2022',
    minify: true,
    logLevel: 'warning',
  });
  writeStamp(STAMP, '');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
