import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { unitVector } from '../support/app.js';
import { axeFindings, LOCALES } from './support/axe.js';
import { CHROMIUM_MISSING, PHONE } from './support/browser.js';
import { come } from './support/came-by.js';
import { browserForSuite, card, enrolOthers, assertFits } from './support/visit.js';

/** Of a face that is taken for Ken's. */
const WRONG = 0.2;

const visits = (page: Page) => page.locator('.visit-card');
const names = (page: Page) => page.locator('.visit-card strong').allInnerTexts();
/** Has the page look for what is new, without waiting for its clock. */
const lookNow = (page: Page) =>
  page.evaluate(() => document.dispatchEvent(new Event('visibilitychange'))).then(() => undefined);

describe('the page of the day', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite({
    settings: { SIGHTINGS: true, KEEP_SIGHTINGS: true, UNKNOWNS_DAYS: 7 },
  });

  it('shows who came by, newest first, and moves nothing when others come', async (t) => {
    const { page, site, faults } = await visit(t, '/today', {}, async (tab, to) => {
      await enrolOthers(tab, to);
      await come(to, { faceid: 'default-ken', at: 1 }, { faceid: 'staff-mari', at: 2 }, { at: 3 });
    });
    await visits(page).nth(2).waitFor();
    assert.deepEqual(await names(page), ['Unknown face', 'Mari Ito', 'Ken Mori']);
    const first = visits(page).first();
    const before = await first.boundingBox();
    await come(site, { faceid: 'default-hana', at: 5 });
    await lookNow(page);
    const fresh = page.locator('#show-new');
    await fresh.waitFor();
    assert.equal(await fresh.innerText(), '1 new visit');
    assert.deepEqual(await first.boundingBox(), before);
    assert.deepEqual(await names(page), ['Unknown face', 'Mari Ito', 'Ken Mori']);
    await fresh.click();
    await page.locator('.visit-card:focus', { hasText: 'Hana Abe' }).waitFor();
    assert.equal((await names(page)).length, 4);
    assert.deepEqual(faults, []);
  });

  it('narrows to a person, a camera, a group and a day, and its address says so', async (t) => {
    const { page } = await visit(t, '/today', {}, async (_page, site) => {
      await enrolOthers(_page, site);
      await come(
        site,
        { faceid: 'default-ken', at: 1 },
        { faceid: 'staff-mari', at: 2, deviceid: 'yard' },
        { faceid: 'default-ken', at: -1000 },
        { at: 3 },
      );
    });
    await visits(page).nth(2).waitFor();
    await page.locator('#group-filter').selectOption('staff');
    await page.locator('.visit-card').nth(1).waitFor({ state: 'detached' });
    assert.deepEqual(await names(page), ['Mari Ito']);
    assert.match(page.url(), /group=staff/);
    await page.goBack();
    await visits(page).nth(2).waitFor();
    await page.locator('#camera-filter').selectOption('yard');
    await page.locator('.visit-card').nth(1).waitFor({ state: 'detached' });
    assert.deepEqual(await names(page), ['Mari Ito']);
    await page.goBack();
    await visits(page).nth(2).waitFor();
    await page.locator('#who').selectOption('unknown');
    await page.locator('.visit-card').nth(1).waitFor({ state: 'detached' });
    assert.deepEqual(await names(page), ['Unknown face']);
    await page.locator('#who').selectOption({ label: 'One person…' });
    await page.locator('#person-search').fill('ken');
    await page.locator('.found button', { hasText: 'Ken Mori' }).click();
    await page.locator('.visit-card', { hasText: 'Ken Mori' }).waitFor();
    assert.match(page.url(), /who=default-ken/);
    await page.locator('#day-before').click();
    await page.locator('h1', { hasText: 'Yesterday' }).waitFor();
    assert.deepEqual(await names(page), ['Ken Mori']);
    const download = page.waitForEvent('download');
    await page.locator('#csv').click();
    const rows = (await readFile(await (await download).path(), 'utf8')).trim().split('\r\n');
    assert.deepEqual([rows.length, rows[1].includes('Ken Mori')], [2, true]);
  });

  it('names a stranger, whose visits then carry the name, and takes that back', async (t) => {
    const { page } = await visit(t, '/today?show=unknowns', {}, (_page, site) =>
      come(site, { at: 1 }, { at: 3 }),
    );
    const stranger = page.locator('.unknown-card');
    await stranger.waitFor();
    assert.equal(await stranger.locator('h2').innerText(), '2 visits');
    await stranger.locator('.name').click();
    await page.locator('dialog #username').fill('Yui Sato');
    await page.keyboard.press('Enter');
    await page.locator('.toast', { hasText: 'Yui Sato is enrolled' }).waitFor();
    assert.equal(await stranger.count(), 0);
    await page.locator('#to-visits').click();
    await page.locator('.visit-card', { hasText: 'Yui Sato' }).nth(1).waitFor();
    await page.locator('.toast .action').click();
    await page.locator('.visit-card', { hasText: 'Unknown face' }).nth(1).waitFor();
    assert.deepEqual(await names(page), ['Unknown face', 'Unknown face']);
  });

  it('gives a stranger to somebody enrolled, or keeps quiet about one, and takes it back', async (t) => {
    const { page } = await visit(t, '/today?show=unknowns', {}, (_page, site) => come(site, { at: 1 }));
    const stranger = page.locator('.unknown-card');
    await stranger.locator('.ignore').click();
    await page.locator('#no-unknowns:focus').waitFor();
    await page.locator('#to-ignored').click();
    await stranger.waitFor();
    await page.locator('.toast .action').click();
    await stranger.waitFor({ state: 'detached' });
    await page.goto(new URL('/today', page.url()).href);
    await visits(page).click();
    await page.locator('#same-as').click();
    await page.locator('#same-as-search').fill('ken');
    await page.locator('.found button', { hasText: 'Ken Mori' }).click();
    // The face is not like Ken's: whoever sees it may say so all the same.
    await page.locator('dialog button', { hasText: 'It is Ken Mori' }).click();
    await page.locator('.visit-card', { hasText: 'Ken Mori' }).waitFor();
    await page.locator('.toast', { hasText: 'Ken Mori' }).locator('.action').click();
    await page.locator('.visit-card', { hasText: 'Unknown face' }).waitFor();
  });

  it('is told that somebody is not who they were taken for, and takes that back', async (t) => {
    const { page, site } = await visit(t, '/today', {}, async (_tab, made) =>
      come(made, { faceid: 'default-ken', at: 1, near: WRONG }),
    );
    const named = async () => (await site.gallery.nearest(unitVector(WRONG), 1)).at(0)?.person.faceid;
    assert.equal(await named(), 'default-ken');
    await visits(page).click();
    await page.locator('#not-this-person').click();
    await page.locator('.visit-card', { hasText: 'Unknown face' }).waitFor();
    assert.equal(await named(), undefined);
    await page.locator('.toast .action').click();
    await page.locator('.visit-card', { hasText: 'Ken Mori' }).waitFor();
    assert.equal(await named(), 'default-ken');
    await visits(page).click();
    await page.locator('#remove-visit').click();
    await page.locator('.toast .action').click();
    await visits(page).waitFor();
  });

  it('turns to the new day: by itself where nobody is at it, else by a press, and moves nothing before', async (t) => {
    const midnight = new Date().setHours(0, 0, 0, 0);
    const left = async () => {
      const made = await visit(t, '/today', {}, async (tab, site) => {
        await come(site, { faceid: 'default-ken', at: -60 });
        await tab.clock.install({ time: midnight - 20_000 });
      });
      await visits(made.page).waitFor();
      assert.equal(await made.page.locator('h1').innerText(), 'Today');
      await come(made.site, { at: 1 });
      return made;
    };
    const { page } = await left();
    const before = await visits(page).boundingBox();
    await page.mouse.move(300, 300);
    await page.clock.fastForward(26_000);
    await page.locator('#show-new', { hasText: 'Show today' }).waitFor();
    assert.equal(await page.locator('h1').innerText(), 'Yesterday', 'what is shown is called what it is');
    assert.deepEqual(await names(page), ['Ken Mori']);
    assert.deepEqual(await visits(page).boundingBox(), before);
    await page.locator('#show-new').click();
    await page.locator('h1', { hasText: 'Today' }).waitFor();
    await page.locator('.visit-card:focus', { hasText: 'Unknown face' }).waitFor();
    assert.deepEqual(await names(page), ['Unknown face']);
    const day = new URL(await page.locator('#csv').evaluate((link: HTMLAnchorElement) => link.href));
    assert.equal(Date.parse(day.searchParams.get('from') ?? ''), midnight, 'and as CSV');

    const { page: untouched } = await left();
    await untouched.clock.fastForward(120_000);
    await untouched.locator('.visit-card', { hasText: 'Unknown face' }).waitFor();
    assert.equal(await untouched.locator('h1').innerText(), 'Today');
    assert.equal(await untouched.locator('#show-new').isVisible(), false);
  });

  it('says how long visits are kept', async (t) => {
    const { page } = await visit(t, '/today');
    await page.getByText('Visits are kept for 30 days, those of unknown faces for 7 days.').waitFor();
  });

  it('draws no more than a few screens of a hundred thousand visits', async (t) => {
    const total = 100_000;
    const { page } = await visit(t, '/offline', {});
    await page.route('**/api/v1/sightings?**', async (route) => {
      const query = new URL(route.request().url()).searchParams;
      const [after, limit] = [Number(query.get('after') ?? 0), Number(query.get('limit'))];
      const sightings = Array.from({ length: Math.min(limit, total - after) }, (_, i) => {
        const at = new Date(Date.now() - (after + i) * 500).toISOString();
        return {
          ...{ id: total - after - i, deviceid: 'door', first: at, last: at, frames: 9, isOpen: false },
          ...{ person: null, distance: null, unknown: null, picture: null },
        };
      });
      await route.fulfill({
        json: { sightings, next: after + limit < total ? String(after + limit) : null },
      });
    });
    await page.goto(new URL('/today?day=all', page.url()).href);
    await visits(page).first().waitFor();
    for (let loaded = 1; loaded < 30; loaded++) {
      await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
      await page.waitForFunction((n) => document.querySelectorAll('.visits').length > n, loaded);
    }
    assert.ok((await page.locator('.visits').count()) >= 30);
    const drawn = await visits(page).count();
    assert.ok(drawn < 12 * 48, `${drawn} cards are drawn`);
    // The first ones are there again where they were.
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.locator(`[data-sighting="${total}"]`).waitFor();
  });

  it('is worked by keyboard, fits a phone and has no finding of axe, in both languages', async (t) => {
    for (const locale of LOCALES) {
      const { page, site, faults } = await visit(t, '/today', { locale, viewport: PHONE }, (_page, to) =>
        come(to, { faceid: 'default-ken', at: 1 }, { at: 3 }, { faceid: 'default-ken', at: 5 }),
      );
      await visits(page).nth(2).waitFor();
      await visits(page).first().focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await page.locator('dialog').waitFor();
      await assertFits(page);
      assert.deepEqual(await axeFindings(page), []);
      await page.keyboard.press('Escape');
      assert.equal(
        await visits(page)
          .nth(2)
          .evaluate((one) => one === document.activeElement),
        true,
      );
      assert.deepEqual(await axeFindings(page), []);
      await page.goto(`${site.url}/today?show=unknowns`);
      await page.locator('.unknown-card .name').click();
      await page.locator('dialog #username').waitFor();
      assert.deepEqual(await axeFindings(page), []);
      await page.keyboard.press('Escape');
      assert.deepEqual(await axeFindings(page), []);
      await assertFits(page);
      assert.deepEqual(faults, []);
    }
  });

  it('tells in a person’s dialog when they were seen last', async (t) => {
    const { page } = await visit(t, '/people', {}, (_page, site) =>
      come(site, { faceid: 'default-ken', at: 1 }, { faceid: 'default-ken', at: 4, deviceid: 'yard' }),
    );
    await card(page, 'default-ken').click();
    assert.match(await page.locator('.last-seen').innerText(), /^Last seen .*yard$/);
    const all = page.locator('.person-visits a');
    assert.equal(await all.getAttribute('href'), '/people/default-ken');
  });

  it('shows what a key may see, and no more', async (t) => {
    const { page } = await visit(t, '/today', {}, async (tab, site) => {
      await come(site, { faceid: 'default-ken', at: 1 });
      await tab.route('**/api/v1/session', (route) =>
        route.fulfill({
          json: { auth: 'key', signedIn: true, name: 'door', role: 'recognise', groups: null },
        }),
      );
    });
    await visits(page).click();
    await page.locator('dialog #all-visits').waitFor();
    assert.equal(await page.locator('#not-this-person, #remove-visit').count(), 0);
    assert.equal(await page.locator('#to-unknowns').isVisible(), false);
  });
});

describe('the page of the day where nobody is kept', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();
  it('says so, and what to do', async (t) => {
    const { page } = await visit(t, '/today');
    await page.locator('#say', { hasText: 'SIGHTINGS=true' }).waitFor();
    assert.equal(await page.locator('#visits-part').isVisible(), false);
  });
});
