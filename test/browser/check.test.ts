import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { unitVector } from '../support/app.js';
import { type AppSite, enrolByVector } from './support/app-site.js';
import { axeFindings, LOCALES } from './support/axe.js';
import { CHROMIUM_MISSING, PHONE } from './support/browser.js';
import { drawCrop, PORTRAITS } from './support/portrait.js';
import { browserForSuite, assertFits } from './support/visit.js';

const { hana, ken, mari } = PORTRAITS;

/** Ken twice, a picture of Hana under Mari's name, and somebody without a picture. */
async function mix(_page: Page, site: AppSite): Promise<void> {
  const { gallery } = site;
  await enrolByVector(site, { userid: 'ken2', username: 'Kenji M.', distance: 0.03, portrait: ken });
  await enrolByVector(site, { userid: 'hana', username: 'Hana Abe', distance: 2, portrait: hana });
  for (const lean of [0, 0.1]) {
    const vector = Float32Array.of(0, 0, Math.sqrt(1 - lean * lean), lean);
    const crop = await drawCrop(mari);
    await gallery.enrol({ groupid: 'default', userid: 'mari', username: 'Mari Ito', crop }, vector);
  }
  const crop = await drawCrop(hana);
  await gallery.enrol({ groupid: 'default', userid: 'mari', crop }, unitVector(1.9));
  await gallery.createPerson({ groupid: 'default', userid: 'yuki', username: '雪' });
}

async function checked(page: Page): Promise<void> {
  await page.locator('#look').click();
  await page.locator('.finding').first().waitFor();
}

const pair = (page: Page) => page.locator('[data-key="pair default-ken default-ken2"]');
const faceOf = async ({ gallery }: AppSite, faceid: string) => (await gallery.person(faceid))?.faces.length;

describe('the page of the check-up', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  it('shows each finding with its evidence, and puts it right when it is not undone', async (t) => {
    const { page, site, faults } = await visit(t, '/check', {}, mix);
    await checked(page);
    await pair(page).getByRole('button', { name: 'Keep Ken Mori' }).click();
    await pair(page).waitFor({ state: 'hidden' });
    assert.equal(await faceOf(site, 'default-ken2'), 1, 'not yet');
    await page.getByRole('button', { name: 'Undo' }).click();
    await pair(page).waitFor();
    assert.equal(
      await page.evaluate(() => document.activeElement?.closest('[data-key]')?.getAttribute('data-key')),
      'pair default-ken default-ken2',
      'the focus is back where it was',
    );

    await pair(page).getByRole('button', { name: 'Two people' }).click();
    await pair(page).waitFor({ state: 'hidden' });
    assert.equal(site.gallery.corrections().length, 2);
    await page.getByRole('button', { name: 'Undo' }).click();
    await pair(page).waitFor();
    assert.equal(site.gallery.corrections().length, 0);

    const odd = page.locator('.odd-pictures li');
    await odd.getByRole('button', { name: 'It is Hana Abe' }).click();
    await odd.waitFor({ state: 'hidden' });
    // Leaving the page does at once what could still be undone.
    await page.goto(`${site.url}/people`);
    await page.waitForFunction(() => document.readyState === 'complete');
    // The picture is added there before it goes here.
    const isMoved = async () =>
      (await faceOf(site, 'default-hana')) === 2 && (await faceOf(site, 'default-mari')) === 2;
    for (let i = 0; i < 100 && !(await isMoved()); i++) await page.waitForTimeout(50);
    assert.deepEqual([await faceOf(site, 'default-hana'), await faceOf(site, 'default-mari')], [2, 2]);
    assert.deepEqual(faults, []);
  });

  it('says what a threshold would do as its line is moved, by keyboard too, and chooses it until it is undone', async (t) => {
    const { page, site } = await visit(t, '/check', {}, mix);
    await checked(page);
    const line = page.locator('#line');
    await line.waitFor();
    const outcome = page.locator('.outcomes .forecast').first();
    assert.match(await outcome.innerText(), /^\d+ wrong, \d+ missed in 1,000$/);
    await line.focus();
    await page.keyboard.press('Home');
    assert.match((await line.getAttribute('aria-valuetext')) ?? '', /^0\.01: \d+ wrong, \d+ missed/);
    await page.keyboard.press('ArrowRight');
    assert.equal(await line.inputValue(), '0.02');
    await page.getByRole('button', { name: 'Use this threshold' }).click();
    await page.getByText('In force: 0.02, chosen here').waitFor();
    assert.equal(site.gallery.threshold(), 0.02);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('In force: 0.50', { exact: true }).waitFor();
    assert.equal(site.gallery.threshold(), undefined);
    await page.locator('.threshold .plot').scrollIntoViewIfNeeded();
    const box = (await page.locator('.threshold .plot').boundingBox()) ?? assert.fail();
    await page.mouse.move(box.x + 5, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + 50);
    await page.mouse.up();
    const max = Number(await line.getAttribute('max'));
    const value = Number(await line.inputValue());
    assert.ok(Math.abs(value - max / 2) < 0.03, `${value} of ${max}`);
  });

  it('fits a phone and has no accessibility finding, in both languages, light and dark', async (t) => {
    const found: string[] = [];
    for (const locale of LOCALES) {
      const { page } = await visit(t, '/check', { locale, viewport: PHONE }, mix);
      await page.locator('#look:enabled').waitFor();
      found.push(...(await axeFindings(page, `${locale} before`)));
      await checked(page);
      await page.locator('#line').waitFor();
      found.push(...(await axeFindings(page, `${locale} after`)));
      await assertFits(page, locale);
      if (process.env.SHOTS)
        for (const [name, width, colorScheme] of [
          ['phone', 390, 'light'],
          ['desk', 1280, 'light'],
          ['wall', 1920, 'dark'],
        ] as const) {
          await page.setViewportSize({ width, height: 900 });
          await page.emulateMedia({ colorScheme });
          await page.screenshot({ path: `${process.env.SHOTS}/check-${locale}-${name}.png`, fullPage: true });
        }
    }
    assert.deepEqual(found, []);
  });
});
