import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { axeFindings, LOCALES } from './support/axe.js';
import { CHROMIUM_MISSING, openTab, PHONE } from './support/browser.js';
import { browserForSuite, enrolOthers, assertFits } from './support/visit.js';
import { vitalsOf, watchShifts } from './support/vitals.js';

const PAGES = [
  ...['/', '/add', '/today', '/people', '/people/default-ken', '/status', '/check', '/signin', '/docs'],
  '/no-such-page',
];
const DESK = { width: 1280, height: 800 };
/** The browser's own measure of a page that stands still is 0.1; ours is stricter. */
const SHIFT = 0.02;
/** Bytes on the wire. */
const WEIGHT = 40_000;

/** Until a page has come up with all that it asks for. */
async function settled(page: Page): Promise<void> {
  await page.waitForLoadState('load');
  // A stream of frames never falls silent: what matters is that what was asked for at first has been drawn.
  await page.waitForLoadState('networkidle', { timeout: 3000 }).catch(() => undefined);
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
}

describe('what stands around every page', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  it('does not move while a page comes up, on a phone and at a desk, in both languages', async (t) => {
    const moved: string[] = [];
    for (const locale of LOCALES) {
      for (const viewport of [PHONE, DESK]) {
        const { page, site } = await visit(t, '/offline', { locale, viewport }, enrolOthers);
        await watchShifts(page);
        for (const path of PAGES) {
          const seen: string[] = [];
          // Once may be the machine's, which is busy; why the controls of the page moved once is not known.
          for (let look = 0; look < 2 && seen.length === look; look++) {
            await page.goto(site.url + path);
            await settled(page);
            const vitals = await vitalsOf(page);
            const where = `${locale} ${viewport.width} ${path}: ${vitals.shift.toFixed(3)}`;
            t.diagnostic(`${where} ${vitals.moved.join('; ')}`);
            if (vitals.shift >= SHIFT) seen.push(`${where} ${vitals.moved.join('; ')}`);
          }
          if (seen.length === 2) moved.push(...seen);
        }
      }
    }
    assert.deepEqual(moved, []);
  });

  it('weighs under 40 kB on the wire with all that the page brings, and brings no source maps', async (t) => {
    const heavy: string[] = [];
    const { context: first, site } = await visit(t, '/offline');
    const browser = first.browser();
    assert.ok(browser);
    for (const locale of LOCALES) {
      for (const path of PAGES) {
        // Of its own: nothing is in the browser's cache.
        const { page, context } = await openTab(browser, { locale });
        await page.goto(site.url + path);
        await settled(page);
        const { weight, files } = await vitalsOf(page);
        t.diagnostic(`${locale} ${path}: ${(weight / 1000).toFixed(1)} kB in ${files.length} files`);
        assert.ok(weight > 3000, `${path} weighs ${weight}: ${files.join(', ')}`);
        if (weight >= WEIGHT) heavy.push(`${path}: ${files.join(', ')}`);
        assert.ok(!files.some((file) => file.includes('.map')), files.join(', '));
        await context.close();
      }
    }
    assert.deepEqual(heavy, []);
  });

  it('stands in the HTML in the language that the browser asks for, before any script', async (t) => {
    for (const [locale, name] of [
      ['en-GB', 'People'],
      ['ja-JP', '人物'],
    ]) {
      const { page } = await visit(t, '/people', { locale, javaScriptEnabled: false });
      const current = page.locator('header nav a[aria-current="page"]');
      assert.deepEqual(await current.allInnerTexts(), [name]);
      assert.equal(await page.locator('h1').innerText(), name);
      assert.equal(await page.title(), `${name} — Kaomon`);
      assert.equal(await page.locator('html').getAttribute('lang'), locale.slice(0, 2));
      assert.equal(await page.locator('[data-t], [data-t-label]').count(), 0);
    }
  });

  it('keeps the language that was chosen, also when the cookie is lost', async (t) => {
    const { page, context, site } = await visit(t, '/people');
    await page.locator('#language').click();
    await page.locator('html[lang="ja"]').waitFor();
    await page.goto(`${site.url}/status`);
    assert.equal(await page.locator('html').getAttribute('lang'), 'ja');
    await context.clearCookies();
    await page.goto(`${site.url}/people`);
    await page.locator('html[lang="ja"]').waitFor();
    assert.match((await page.locator('#language').innerText()).trim(), /^English$/);
  });

  it('has room for who is signed in, without moving anything', async (t) => {
    for (const viewport of [PHONE, DESK]) {
      const { page } = await visit(t, '/status', { viewport });
      const places = () =>
        page.locator('header a, header button, main').evaluateAll((all) =>
          all.map((one) => {
            // Not how high: what the page shows comes in the meantime.
            const { x, y, width } = one.getBoundingClientRect();
            return { x, y, width };
          }),
        );
      const before = await places();
      await page.locator('#account').evaluate((place) => {
        place.append(Object.assign(document.createElement('span'), { textContent: 'Night desk' }));
      });
      assert.deepEqual(await places(), before);
    }
  });

  it('covers nothing of itself at 200 % text, on any screen', async (t) => {
    for (const viewport of [{ width: 320, height: 640 }, PHONE, { width: 768, height: 1024 }, DESK]) {
      for (const locale of LOCALES) {
        const { page, site } = await visit(t, '/status', { locale, viewport });
        for (const path of viewport === PHONE ? PAGES : ['/status', '/docs']) {
          await page.goto(site.url + path);
          await page.locator('html').evaluate((html) => void (html.style.fontSize = '200%'));
          const where = `${locale} ${viewport.width} ${path}`;
          const covered = await page.locator('header :is(a, button)').evaluateAll((all) => {
            const boxes = all.map((one) => one.getBoundingClientRect());
            return all.flatMap((one, i) =>
              all
                .slice(i + 1)
                .filter((_, j) => {
                  const [a, b] = [boxes[i], boxes[i + 1 + j]];
                  return (
                    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1
                  );
                })
                .map((other) => `${one.textContent} and ${other.textContent}`),
            );
          });
          assert.deepEqual(covered, [], where);
          await assertFits(page, where);
        }
      }
    }
  });

  it('tells the page that is open by more than a ground, where the system has its own colours', async (t) => {
    const { page } = await visit(t, '/status', { forcedColors: 'active', contrast: 'more' });
    const line = (selector: string) =>
      page.locator(selector).evaluate((one) => getComputedStyle(one).textDecorationLine);
    assert.equal(await line('header nav a[aria-current]'), 'underline');
    assert.equal(await line('header nav a:not([aria-current]) >> nth=0'), 'none');
    const border = await page.locator('#language').evaluate((one) => getComputedStyle(one).borderTopWidth);
    assert.equal(border, '2px');
  });

  it('leaves itself out on paper', async (t) => {
    const { page } = await visit(t, '/status');
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('header').isVisible(), false);
    assert.equal(await page.locator('h1').isVisible(), true);
  });

  it('says in the visitor’s language that there is no page, and leads on', async (t) => {
    for (const [locale, title] of [
      ['en-GB', 'There is no page at this address'],
      ['ja-JP', 'ページが見つかりません'],
    ]) {
      const { page, site, faults } = await visit(t, '/no/such/page', { locale });
      await page.getByRole('heading', { name: title }).waitFor();
      assert.deepEqual(await axeFindings(page), []);
      await page.locator('main a').click();
      await page.waitForURL(`${site.url}/`);
      assert.deepEqual(faults, []);
    }
  });
});
