/**
 * Makes what a browser is sent: the pages' HTML of its templates (src/browser/html), once in each language with all its
 * texts and the header in it, so that nothing moves when the script begins; their manifests; and a brotli and a gzip of
 * every text beside it, which cost a server nothing while it serves.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { filesBelow, PROJECT_ROOT } from './support.mjs';

const TEMPLATES = path.join(PROJECT_ROOT, 'src', 'browser', 'html');
const COMPRESSED = /\.(?:html|css|js|svg|webmanifest)$/;

/** Pages that are not in the list of pages, by the one that leads to them. @type {Record<string, string | undefined>} */
const BELOW = { person: '/people', check: '/people' };

/** @typedef {Record<string, unknown>} Words */
/**
 * @typedef {object} Assets
 * @property {Map<string, string>} addresses of `/assets/NAME.EXT`, with a hash of the content in the name
 * @property {Map<string, string[]>} preloads of an address: what it imports
 * @property {Map<string, string>} words of a page's script and a language, as `people ja`: the file of its texts
 */

/** @param {string} text */
const escape = (text) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** @param {string | Buffer} content */
export const hashOf = (content) =>
  createHash('sha256').update(content).digest('hex').slice(0, 8).toUpperCase();

/** @param {string} name */
const template = (name) => readFileSync(path.join(TEMPLATES, name), 'utf8');

/**
 * Fills in the texts that a template names: `data-t` an element's text, `data-t-label` its accessible name,
 * `data-t-NAME` the attribute of that name.
 * @param {string} html @param {Words} words
 * @throws Error for a text that is not there, or an element that has content of its own
 */
export function fillIn(html, words) {
  const textOf = (/** @type {string} */ key) => {
    const text = words[key];
    if (typeof text !== 'string') throw new Error(`There is no text "${key}".`);
    return escape(text);
  };
  return html.replace(/<[a-z][^<>]*>/g, (tag, /** @type {number} */ at) => {
    const made = tag.replace(
      /data-t-([a-z]+)="(\w+)"/g,
      (_, /** @type {string} */ name, /** @type {string} */ key) =>
        `${name === 'label' ? 'aria-label' : name}="${textOf(key)}"`,
    );
    const [named, key] = /\sdata-t="(\w+)"/.exec(made) ?? [];
    if (!named) return made;
    if (!html.startsWith('</', at + tag.length)) throw new Error(`${tag} must be empty: it gets a text.`);
    return made.replace(named, '') + textOf(key);
  });
}

/**
 * @param {string} name of the template
 * @param {{language: string, words: Words, assets: Assets}} to
 */
function page(name, { language, words, assets }) {
  const stem = path.basename(name, '.html');
  const parent = BELOW[stem];
  const address = parent ?? (stem === 'index' ? '/' : `/${stem}`);
  const header = template('parts/header.html')
    // The page that is open, in the list of pages: the brand, which also leads to the first one, has a class before.
    .replace(`<a href="${address}"`, `<a href="${address}" aria-current="${parent ? 'true' : 'page'}"`);
  let html = template(name);
  const [, script = ''] = /<script type="module" src="\/assets\/(\w+)\.js"/.exec(html) ?? [];
  const texts = assets.words.get(`${script} ${language}`);
  html = html
    .replace('<html lang="en">', `<html lang="${language}"${texts ? ` data-words="${texts}"` : ''}>`)
    .replace('<head>', `<head>\n${template('parts/head.html').trimEnd()}`)
    .replace(/(<body[^<>]*>)\n/, (_, /** @type {string} */ body) =>
      body.includes('data-bare') ? `${body.replace(' data-bare', '')}\n` : `${body}\n${header}`,
    );
  html = fillIn(html, words);
  html = html.replace(/(<title>)([^<]*)/, `$1$2 — ${escape(String(words.appName))}`);
  const imported = assets.preloads.get(assets.addresses.get(`/assets/${script}.js`) ?? '') ?? [];
  const ahead = [...imported, ...(texts ? [texts] : [])].map(
    (file) => `    <link rel="modulepreload" href="${file}" />\n`,
  );
  return html
    .replace(/ {2}<\/head>/, `${ahead.join('')}  </head>`)
    .replace(/"(\/assets\/[^"]*|\/icon\.svg)"/g, (quoted, /** @type {string} */ plain) => {
      if (plain === texts || imported.includes(plain)) return quoted;
      const named = assets.addresses.get(plain);
      if (!named) throw new Error(`${name}: there is no ${plain}.`);
      return `"${named}"`;
    });
}

/** @param {{language: string, words: Words, assets: Assets}} to */
function manifest({ language, words, assets }) {
  const { appName: name, description } = words;
  const icon = (/** @type {string} */ plain, /** @type {string} */ sizes, purpose = 'any') => ({
    src: assets.addresses.get(plain),
    sizes,
    type: plain.endsWith('.svg') ? 'image/svg+xml' : 'image/png',
    purpose,
  });
  const leap = (/** @type {string} */ key, /** @type {string} */ url) => ({ name: words[key], url });
  return JSON.stringify({
    ...{ id: '/', start_url: '/', scope: '/', display: 'standalone', lang: language },
    ...{ name, short_name: name, description },
    ...{ theme_color: '#2b3f8f', background_color: '#f5f4ef' },
    icons: [
      icon('/icon.svg', 'any'),
      icon('/assets/icon-192.png', '192x192'),
      icon('/assets/icon-512.png', '512x512'),
      icon('/assets/icon-maskable.png', '512x512', 'maskable'),
    ],
    shortcuts: [leap('recognition', '/'), leap('enrolment', '/add'), leap('people', '/people')],
  });
}

/**
 * Draws the icons for launchers from public/icon.svg into a folder.
 * @param {string} folder
 * @returns {Promise<Map<string, string>>} their addresses, by those without a hash
 */
export async function drawIcons(folder) {
  const { default: sharp } = await import('sharp');
  const svg = readFileSync(path.join(PROJECT_ROOT, 'public', 'icon.svg'), 'utf8');
  // A launcher cuts a maskable icon to its own shape, as little as the inner 80 % of the width: ground to the edge.
  const maskable = svg
    .replace('rx="15"', '')
    .replace('viewBox="0 0 64 64"', 'viewBox="-8 -8 80 80"')
    .replace('<rect width="64" height="64"', '<rect x="-8" y="-8" width="80" height="80"');
  const addresses = new Map();
  const put = (
    /** @type {string} */ plain,
    /** @type {string} */ name,
    /** @type {string | Buffer} */ content,
  ) => {
    const [stem, ext] = name.split('.');
    const file = `${stem}-${hashOf(content)}.${ext}`;
    writeFileSync(path.join(folder, file), content);
    addresses.set(plain, `/assets/${file}`);
  };
  put('/icon.svg', 'icon.svg', svg);
  for (const [name, picture, size] of /** @type {const} */ ([
    ['icon-192.png', svg, 192],
    ['icon-512.png', svg, 512],
    ['icon-maskable.png', maskable, 512],
  ])) {
    const drawn = sharp(Buffer.from(picture), { density: (72 * size) / 64 }).resize(size, size);
    put(`/assets/${name}`, name, await drawn.png({ palette: true, effort: 7 }).toBuffer());
  }
  return addresses;
}

/**
 * Writes the pages and the manifests of every language into `folder/LANGUAGE/`.
 * @param {string} folder @param {Record<string, Words>} languages @param {Assets} assets
 */
export function writePages(folder, languages, assets) {
  rmSync(folder, { recursive: true, force: true });
  const names = readdirSync(TEMPLATES).filter((name) => name.endsWith('.html'));
  for (const [language, words] of Object.entries(languages)) {
    mkdirSync(path.join(folder, language), { recursive: true });
    const put = (/** @type {string} */ name, /** @type {string} */ text) =>
      writeFileSync(path.join(folder, language, name), text);
    for (const name of names) put(name, page(name, { language, words, assets }));
    put('manifest.webmanifest', manifest({ language, words, assets }));
  }
}

/**
 * Writes a brotli and a gzip beside every text below a folder.
 * @param {string} folder
 */
export async function compressBelow(folder) {
  const [brotli, zip] = [promisify(brotliCompress), promisify(gzip)];
  const texts = filesBelow(folder).filter((file) => COMPRESSED.test(file));
  await Promise.all(
    texts.map(async (file) => {
      const text = readFileSync(file);
      const params = { [constants.BROTLI_PARAM_SIZE_HINT]: text.length };
      writeFileSync(`${file}.br`, await brotli(text, { params }));
      writeFileSync(`${file}.gz`, await zip(text, { level: 9 }));
    }),
  );
}
