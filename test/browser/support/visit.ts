import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { type AppSite, enrolByVector, openAppSite, type SiteOptions } from './app-site.js';
import { LAPTOP, openBrowser, openTab, PASSING, PHONE, type Visit } from './browser.js';
import { drawScene, PORTRAITS } from './portrait.js';

const { hana, ken, mari } = PORTRAITS;

export const SIZES = {
  phone: { viewport: PHONE, hasTouch: true, isMobile: true },
  laptop: { viewport: LAPTOP },
};
/** Who is in front of the camera: Ken is enrolled, the other one is not. */
export const KEN = { x: 0.3, y: 0.5, scale: 1, portrait: ken, distance: 0.02 };
export const STRANGER = { x: 0.7, y: 0.52, scale: 0.9, portrait: hana, distance: 2 };

export interface Cleanup {
  after: (run: () => unknown) => void;
}

export type Prepare = (page: Page, site: AppSite) => unknown;

/** A tab on a server of its own. */
export type Visitor = (
  t: Cleanup,
  path: string,
  options?: BrowserContextOptions,
  prepare?: Prepare,
) => Promise<Visit & { site: AppSite }>;

/** A browser for the tests of a suite; to be called in it. @returns opens a server for a test, with Ken enrolled, and a tab */
export function browserForSuite({ deps = {}, settings = {} }: Omit<SiteOptions, 'port'> = {}): Visitor {
  /** What was opened is closed latest first. */
  const jobs: (() => unknown)[] = [];
  const suite = { after: (job: () => unknown) => void jobs.push(job) };
  let browser: Browser;
  before(async () => {
    const picture = await drawScene([KEN, STRANGER]);
    browser = await openBrowser(suite, { picture });
  });
  after(async () => {
    for (const job of jobs.reverse()) await job();
  });

  return async (t, path, options = {}, prepare) => {
    const site = await openAppSite(t, { settings: { KEEP_FACES: true, ...settings }, deps });
    await enrolByVector(site, {
      userid: 'ken',
      username: 'Ken Mori',
      distance: 0,
      pictures: 2,
      portrait: ken,
    });
    site.found = [KEN, STRANGER];
    const tab = await openTab(browser, options);
    t.after(() => tab.context.close());
    await prepare?.(tab.page, site);
    await tab.page.goto(site.url + path, path.startsWith('/signin') ? PASSING : {});
    return { ...tab, site };
  };
}

/** Two more people and a second group. */
export async function enrolOthers(_page: Page, site: AppSite): Promise<void> {
  await site.gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
  await enrolByVector(site, { userid: 'hana', username: 'Hana Abe', distance: 2, portrait: hana });
  await enrolByVector(site, {
    groupid: 'staff',
    userid: 'mari',
    username: 'Mari Ito',
    distance: 1,
    portrait: mari,
  });
}

/** A face among those that the recognition page names. */
export const face = (page: Page, text: string): Locator => page.locator('#faces button', { hasText: text });

/** A person on the page of people. */
export const card = (page: Page, faceid: string): Locator =>
  page.locator(`.person-card[data-faceid="${faceid}"]`);

/** Words that are broken within, because there is room for a few letters only. Runs in the page. */
function broken(): string[] {
  const ROOM = 6;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found: string[] = [];
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const parent = text.parentElement;
    if (!parent?.checkVisibility({ visibilityProperty: true }) || parent.closest('code, pre')) continue;
    const size = parseFloat(getComputedStyle(parent).fontSize);
    for (const { 0: word, index } of (text.nodeValue ?? '').matchAll(/(?<![\w/])[a-z]{3,10}(?![\w/])/gi)) {
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      const lines = range.getClientRects().length;
      const { width } = range.getBoundingClientRect();
      if (lines > 1 && width < ROOM * size) found.push(`${word} in ${parent.tagName}.${parent.className}`);
    }
  }
  return found.slice(0, 5);
}

/** Controls that are smaller than WCAG 2.5.8 allows, or than what stands on them. Runs in the page. */
function cramped(): string[] {
  const LEAST = 24;
  const BEYOND = 4;
  const all = document.querySelectorAll<HTMLElement>('button, input, select, textarea, a.button');
  return [...all].flatMap((control) => {
    const { width, height } = control.getBoundingClientRect();
    const isSeen = control.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && width > 1;
    const isMark = control.matches('[type=checkbox], [type=radio], [type=range]');
    if (!isSeen || isMark) return [];
    const isCut =
      control.matches('button') &&
      control.childElementCount === 0 &&
      control.scrollWidth > control.clientWidth + BEYOND;
    if (!isCut && width >= LEAST && height >= LEAST) return [];
    return [`${control.tagName}#${control.id} "${control.textContent.trim()}" ${width} x ${height}`];
  });
}

/** Screens that are held in a hand, pixels: there text may be twice as large, and words stay whole. */
const PHONES = { from: 360, to: 400 };

/**
 * That the page comes to be no wider than the screen, on a phone also with text of twice the size, and that every control
 * can be read and hit. While a page builds itself up, nobody looks at its width yet.
 * @throws AssertionError that says which parts are too wide, and how the page stood
 */
export async function assertFits(page: Page, where = page.url()): Promise<void> {
  await assertFitsNow(page, where);
  const { width = Infinity } = page.viewportSize() ?? {};
  if (width < PHONES.from || width > PHONES.to) return;
  const size = (to: string) =>
    page.locator('html').evaluate((html, now) => void (html.style.fontSize = now), to);
  await size('200%');
  await assertFitsNow(page, `${where}, text at 200 %`);
  await size('');
}

async function assertFitsNow(page: Page, where: string): Promise<void> {
  const fits = () => document.documentElement.scrollWidth <= window.innerWidth;
  const waited = await page.waitForFunction(fits, undefined, { timeout: 5000 }).catch(() => undefined);
  if (waited) {
    if ((page.viewportSize()?.width ?? Infinity) < PHONES.from) return;
    assert.deepEqual(await page.evaluate(cramped), [], `${where} has controls that nobody can read or hit`);
    assert.deepEqual(await page.evaluate(broken), [], `${where} breaks words`);
    return;
  }
  const wide = await page.evaluate(() => {
    const parts = [...document.querySelectorAll('body *')].flatMap((part) => {
      const { left, right } = part.getBoundingClientRect();
      return right > window.innerWidth ? [`${part.tagName}#${part.id} ${left} to ${right}`] : [];
    });
    const { scrollWidth } = document.documentElement;
    const sheets = document.styleSheets.length;
    return [
      `${scrollWidth} of ${window.innerWidth}, ${document.readyState}, ${sheets} sheets`,
      ...parts.slice(0, 12),
    ];
  });
  assert.fail(`${where} is wider than the screen: ${wide.join('; ')}`);
}
