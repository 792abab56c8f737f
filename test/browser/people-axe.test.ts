import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { axeFindings, LOCALES } from './support/axe.js';
import { CHROMIUM_MISSING } from './support/browser.js';
import { browserForSuite, card, enrolOthers } from './support/visit.js';

describe('the page of people for everybody', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  for (const locale of LOCALES) {
    it(`axe finds nothing wrong with the page, its menu and each of its dialogs (${locale})`, async (t) => {
      const { page } = await visit(t, '/people?group=staff', { locale }, enrolOthers);
      const found: string[] = [];
      const look = async (where: string) => void found.push(...(await axeFindings(page, where)));
      const close = async () => {
        await page.keyboard.press('Escape');
        await page.locator('dialog').waitFor({ state: 'detached' });
      };
      await card(page, 'staff-mari').waitFor();
      await page.locator('#menu-button').click();
      await look('menu');
      await page.locator('#edit-group').click();
      await look('group');
      await close();
      await page.locator('#menu-button').click();
      await page.locator('#new-group').click();
      await look('new group');
      await close();
      await page.locator('#group-filter').selectOption('');
      await card(page, 'default-ken').click();
      await page.locator('dialog .kept-pictures img').nth(1).waitFor();
      await page.locator('dialog .kept-pictures .cross').first().click();
      await look('person, with a message');
      await page.locator('#remove-person').click();
      await look('question');
      await page.keyboard.press('Escape');
      await page.locator('#same-person').click();
      await page.locator('#merge-search').fill('a');
      await page.locator('.found li').first().waitFor();
      await look('search for the other');
      await page.locator('.found button').first().click();
      await look('side by side');
      await close();
      await page
        .locator('li', { has: card(page, 'default-ken') })
        .getByRole('checkbox')
        .check();
      await look('selection');
      await page.locator('#bulk-move').click();
      await look('move');
      await close();
      await page.route('**/api/**', (route) => route.abort());
      await page.locator('#search').fill('x');
      await page.locator('#away').waitFor();
      await look('outage');
      assert.deepEqual(found, []);
    });
  }
});
