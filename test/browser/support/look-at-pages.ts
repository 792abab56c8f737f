/**
 * Makes pictures of every page, for a person to look at: three widths, light and dark, both languages, into
 * `cache/pages/`: `node dist/test/browser/support/look-at-pages.js [WORD]` (only pages whose name contains the word).
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { createKeys } from '../../../src/access/keys.js';
import { createLinks } from '../../../src/access/links.js';
import { PROJECT_ROOT } from '../../../src/platform/root.js';
import { unitVector } from '../../support/app.js';
import { temporaryFolder } from '../../support/temporary.js';
import { enrolByVector, openAppSite } from './app-site.js';
import { openBrowser, openTab, PASSING } from './browser.js';
import { come } from './came-by.js';
import { drawCrop, drawScene, PORTRAITS } from './portrait.js';
import { card, enrolOthers, face, KEN, STRANGER } from './visit.js';

const FOLDER = path.join(PROJECT_ROOT, 'cache', 'pages');
const { ken, mari } = PORTRAITS;

interface Look {
  name: string;
  address: string;
  /** What is done on the page before it is looked at. */
  open?: (page: Page) => Promise<unknown>;
}

const LOOKS: Look[] = [
  { name: 'recognition', address: '/', open: (page) => face(page, 'Ken').waitFor() },
  { name: 'face', address: '/', open: (page) => face(page, 'Ken').click() },
  { name: 'stranger', address: '/', open: (page) => page.locator('#faces button').nth(1).click() },
  { name: 'wall', address: '/?wall', open: (page) => page.waitForTimeout(2500) },
  { name: 'add', address: '/add' },
  {
    name: 'add-taking',
    address: '/add?userid=mari&username=Mari%20Ito',
    async open(page) {
      await page.locator('#start').click();
      await page.locator('#pictures li').first().waitFor();
    },
  },
  { name: 'today', address: '/today?day=all', open: (page) => page.locator('.visit-card').nth(3).waitFor() },
  {
    name: 'visit',
    address: '/today?day=all',
    open: (page) => page.locator('.visit-card', { hasText: 'Ken' }).first().click(),
  },
  {
    name: 'unknowns',
    address: '/today?show=unknowns',
    open: (page) => page.locator('.unknown-card').first().waitFor(),
  },
  {
    name: 'name',
    address: '/today?show=unknowns',
    open: (page) => page.locator('.unknown-card .name').first().click(),
  },
  { name: 'people', address: '/people', open: (page) => card(page, 'default-ken').waitFor() },
  {
    name: 'one',
    address: '/people/default-ken',
    open: (page) => page.locator('.visit-card').nth(1).waitFor(),
  },
  { name: 'people-menu', address: '/people', open: (page) => page.locator('#menu-button').click() },
  { name: 'person', address: '/people', open: (page) => card(page, 'default-ken').click() },
  {
    name: 'status',
    address: '/status',
    open: (page) => page.waitForTimeout(2500),
  },
  {
    name: 'check',
    address: '/check',
    async open(page) {
      await page.locator('#look').click();
      await page.locator('.finding').first().waitFor();
    },
  },
  { name: 'keys', address: '/keys', open: (page) => page.locator('#keys li').first().waitFor() },
  { name: 'keys-new', address: '/keys', open: (page) => page.locator('#new-key').click() },
  { name: 'docs', address: '/docs' },
  { name: 'signin', address: '/signin?next=%2F&stay' },
  { name: 'offline', address: '/offline' },
  { name: '404', address: '/no-such-page' },
];

const SCREENS: [string, BrowserContextOptions][] = [
  [
    '390-light',
    { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: 'light' },
  ],
  [
    '390-dark',
    { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: 'dark' },
  ],
  ['1280-light', { viewport: { width: 1280, height: 800 }, colorScheme: 'light' }],
  ['1280-dark', { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' }],
  ['1920-light', { viewport: { width: 1920, height: 1080 }, colorScheme: 'light' }],
  ['1920-dark', { viewport: { width: 1920, height: 1080 }, colorScheme: 'dark' }],
  [
    '390-large',
    { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: 'light' },
  ],
  ['1280-forced', { viewport: { width: 1280, height: 800 }, forcedColors: 'active', colorScheme: 'dark' }],
];

const jobs: (() => unknown)[] = [];
const t = { after: (job: () => unknown) => void jobs.push(job) };

async function fill(site: Awaited<ReturnType<typeof openAppSite>>): Promise<void> {
  await enrolByVector(site, { userid: 'ken', username: 'Ken Mori', distance: 0, pictures: 3, portrait: ken });
  await enrolOthers(undefined as never, site);
  await enrolByVector(site, { userid: 'ken2', username: 'Kenji M.', distance: 0.03, portrait: ken });
  await enrolByVector(site, { userid: 'p0001', username: '佐藤 結衣', distance: 3, portrait: mari });
  await site.gallery.enrol(
    { groupid: 'default', userid: 'hana', crop: await drawCrop(mari) },
    unitVector(1.1),
  );
  await site.gallery.createPerson({ groupid: 'default', userid: 'yuki', username: '雪' });
  await come(
    site,
    { faceid: 'default-ken', at: 1, portrait: ken },
    { faceid: 'staff-mari', at: 3, portrait: mari, deviceid: 'yard' },
    { at: 5, far: 3.5 },
    { at: 9, far: 3.5, deviceid: 'yard' },
    { faceid: 'default-ken', at: 12, portrait: ken, isEnded: false },
    { faceid: 'default-ken', at: -1000, portrait: ken },
    { at: -900, far: 2.6 },
  );
}

try {
  await mkdir(FOLDER, { recursive: true });
  const word = process.argv[2] ?? '';
  const screens = SCREENS.filter(([name]) => name.includes(process.argv[3] ?? ''));
  const KEYS_FILE = path.join(await temporaryFolder(t), 'keys.json');
  const settings = {
    AUTH: 'key',
    KEYS_FILE,
    SIGHTINGS: true,
    KEEP_SIGHTINGS: true,
    KEEP_FACES: true,
  } as const;
  const site = await openAppSite(t, { settings });
  const keys = createKeys({ file: KEYS_FILE });
  await keys.add({ name: 'office', role: 'admin' });
  await keys.add({ name: 'front-desk', role: 'enrol', groups: ['default'] });
  await keys.add({ name: 'door', role: 'recognise' });
  await fill(site);
  site.found = [KEN, STRANGER];
  const browser = await openBrowser(t, { picture: await drawScene([KEN, STRANGER]) });

  const first = await openTab(browser);
  const { token } = await createLinks({ file: KEYS_FILE }).make('office');
  await first.page.goto(`${site.url}/signin#token=${token}`, PASSING);
  await first.page.waitForURL(`${site.url}/`);
  const cookies = await first.context.cookies();
  await first.context.close();

  for (const [screen, options] of screens) {
    for (const locale of ['en-GB', 'ja-JP']) {
      const { page, context } = await openTab(browser, { ...options, locale, reducedMotion: 'reduce' });
      page.setDefaultTimeout(8000);
      await context.addCookies(cookies);
      for (const { name, address, open } of LOOKS) {
        if (!name.includes(word)) continue;
        site.found = name.startsWith('add') ? [{ ...KEN, x: 0.5, distance: 2.2 }] : [KEN, STRANGER];
        await page.goto(site.url + address);
        // Text at 200 %.
        if (screen.endsWith('large'))
          await page.locator('html').evaluate((html) => void (html.style.fontSize = '200%'));
        await page.waitForLoadState('networkidle', { timeout: 1500 }).catch(() => undefined);
        await open?.(page).catch((error: unknown) =>
          console.log(`${name} ${screen} ${locale}: ${String(error)}`),
        );
        await page.waitForTimeout(300);
        const file = path.join(FOLDER, `${name}-${screen}-${locale.slice(0, 2)}.png`);
        const isTall = await page.locator('dialog[open]').count();
        await page.screenshot({ path: file, fullPage: isTall === 0 && name !== 'wall' });
      }
      await context.close();
    }
  }
} finally {
  for (const job of jobs.reverse()) await job();
}
