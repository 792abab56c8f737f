import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { until } from '../support/until.js';
import { enrolByVector } from './support/app-site.js';
import { CHROMIUM_MISSING } from './support/browser.js';
import { browserForSuite, card, enrolOthers, assertFits, SIZES } from './support/visit.js';

/** What has the focus: a person's faceid, or the ID of an element. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const active = document.activeElement as HTMLElement | null;
    return active?.dataset.faceid ?? active?.id ?? '';
  });
const toast = (page: Page, text: string | RegExp) => page.locator('.toast', { hasText: text });
const undo = (page: Page) => page.locator('.toast').getByRole('button', { name: 'Undo' });
const pick = (page: Page, faceid: string) =>
  page.locator('li', { has: card(page, faceid) }).getByRole('checkbox');
/** Ten seconds pass in the page. */
const tenSeconds = (page: Page) => page.clock.fastForward(11_000);

/** With a clock that the test can put forward. */
async function prepare(page: Page, site: Parameters<typeof enrolOthers>[1]): Promise<void> {
  await page.clock.install();
  await enrolOthers(page, site);
}

async function removeByDialog(page: Page, faceid: string): Promise<void> {
  await card(page, faceid).click();
  await page.locator('#remove-person').click();
  await page.locator('dialog.question').getByRole('button', { name: 'Delete' }).click();
  await card(page, faceid).waitFor({ state: 'detached' });
}

describe('what is done on the page of people can be undone', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  for (const way of ['the pointer', 'Tab', 'Ctrl+Z'] as const) {
    it(`a deleted picture comes back inside the open dialog, by ${way}`, async (t) => {
      const { page, site, faults } = await visit(t, '/people', {}, prepare);
      await card(page, 'default-ken').click();
      await page.locator('dialog .kept-pictures .cross').first().click();
      await until(async () => (await page.locator('dialog .kept-pictures li').count()) === 1);
      assert.equal(
        await page.locator('dialog .kept-pictures .cross:focus').count(),
        1,
        'the next picture has the focus',
      );
      if (way === 'the pointer') await undo(page).click();
      else if (way === 'Ctrl+Z') await page.keyboard.press('Control+z');
      else {
        for (let i = 0; i < 30 && !(await page.locator('.toast .action:focus').count()); i++)
          await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
      }
      await page.locator('dialog .kept-pictures li').nth(1).waitFor();
      await tenSeconds(page);
      await page.goto(`${site.url}/status`);
      assert.equal((await site.gallery.person('default-ken'))?.faces.length, 2);
      assert.deepEqual(faults, []);
    });
  }

  it('an offer to undo outlives the dialog that it stood in', async (t) => {
    const { page, site } = await visit(t, '/people', {}, prepare);
    await card(page, 'default-ken').click();
    await page.locator('dialog .kept-pictures .cross').first().click();
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await undo(page).click();
    await tenSeconds(page);
    await page.goto(`${site.url}/status`);
    assert.equal((await site.gallery.person('default-ken'))?.faces.length, 2);
  });

  it('people are merged only after both were chosen, the other way round too, and not when undone', async (t) => {
    const { page, site, faults } = await visit(t, '/people', {}, prepare);
    await card(page, 'default-hana').click();
    await page.locator('#same-person').click();
    const dialog = page.locator('dialog.merge');
    await dialog.locator('.compared .portrait img').waitFor();
    assert.equal(await dialog.locator('.compared').count(), 1, 'nobody is chosen beforehand');
    assert.equal(await dialog.getByRole('button', { name: /^Keep/ }).count(), 0);
    await page.locator('#merge-search').fill('ken');
    await dialog.locator('.found button').click();
    await dialog.locator('.compared .portrait img').nth(1).waitFor();
    await dialog.getByText('Hana Abe is deleted, and 1 picture of Hana Abe goes to Ken Mori.').waitFor();
    await dialog.getByRole('button', { name: 'Keep Ken Mori' }).click();
    await card(page, 'default-hana').waitFor({ state: 'detached' });
    await undo(page).click();
    await card(page, 'default-hana').waitFor();
    await until(async () => (await focused(page)) === 'default-hana');
    await tenSeconds(page);
    assert.ok(await site.gallery.person('default-hana'));

    await pick(page, 'default-hana').check();
    await pick(page, 'default-ken').check();
    await page.locator('#bulk-merge').click();
    await page.getByRole('button', { name: 'Keep Ken Mori' }).click();
    await toast(page, 'Hana Abe was merged into Ken Mori.').waitFor();
    assert.ok(await site.gallery.person('default-hana'), 'the server does not know yet');
    await tenSeconds(page);
    await until(async () => (await site.gallery.person('default-ken'))?.faces.length === 3);
    assert.equal(await site.gallery.person('default-hana'), undefined);
    assert.deepEqual(faults, []);
  });

  it('after a deletion the next person has the focus, and the heading when nobody is left', async (t) => {
    const { page } = await visit(t, '/people', {}, prepare);
    await card(page, 'staff-mari').waitFor();
    await removeByDialog(page, 'default-ken');
    await until(async () => (await focused(page)) === 'staff-mari');
    await removeByDialog(page, 'staff-mari');
    await until(async () => (await focused(page)) === 'default-hana');
    await removeByDialog(page, 'default-hana');
    await until(async () => (await focused(page)) === 'title');
    await page.getByText('Nobody is enrolled here.').waitFor();
    await page.keyboard.press('Control+z');
    await until(async () => (await focused(page)) === 'default-hana');
  });

  it('several are moved and moved back, deleted and kept', async (t) => {
    const { page, site, faults } = await visit(t, '/people', {}, prepare);
    await pick(page, 'default-hana').check();
    await pick(page, 'default-ken').click({ modifiers: ['Shift'] });
    await page.getByText('2 selected').waitFor();
    await page.locator('#bulk-move').click();
    await page.locator('#to-group').selectOption('staff');
    await page.locator('dialog').getByRole('button', { name: 'Move' }).click();
    await toast(page, '2 people were moved to Staff.').waitFor();
    assert.ok(await site.gallery.person('staff-hana'));
    await undo(page).click();
    await card(page, 'default-ken').waitFor();
    await until(async () => (await site.gallery.person('default-hana')) !== undefined);
    assert.equal((await site.gallery.person('default-ken'))?.faces.length, 2);

    const removeBoth = async () => {
      await pick(page, 'default-hana').check();
      await pick(page, 'default-ken').check();
      await page.locator('#bulk-remove').click();
      await page.getByText('Delete 2 people and 3 pictures?').waitFor();
      await page.locator('dialog.question').getByRole('button', { name: 'Delete' }).click();
      await card(page, 'default-ken').waitFor({ state: 'detached' });
    };
    await removeBoth();
    await undo(page).click();
    await card(page, 'default-ken').waitFor();
    await removeBoth();
    await tenSeconds(page);
    await until(async () => (await site.gallery.person('default-ken')) === undefined);
    assert.equal(await site.gallery.person('default-hana'), undefined);
    assert.deepEqual(faults, []);
  });

  it('who cannot be moved stays chosen, with the reason', async (t) => {
    const { page, site } = await visit(t, '/people', {}, async (tab, it) => {
      await prepare(tab, it);
      await enrolByVector(it, { groupid: 'staff', userid: 'ken', username: 'Ken Noda', distance: 3 });
    });
    await pick(page, 'default-hana').check();
    await pick(page, 'default-ken').check();
    await page.locator('#bulk-move').click();
    await page.locator('#to-group').selectOption('staff');
    await page.locator('dialog').getByRole('button', { name: 'Move' }).click();
    await toast(page, 'The group already has a person with this ID.').waitFor();
    await page.getByText('1 selected').waitFor();
    assert.ok(await site.gallery.person('staff-hana'));
    assert.equal((await site.gallery.person('default-ken'))?.username, 'Ken Mori');
  });

  it('an outage is told with the time, changes that failed are offered again, and the list is read on return', async (t) => {
    const { page, site, faults } = await visit(t, '/people', {}, prepare);
    await removeByDialog(page, 'default-hana');
    await page.route('**/api/**', (route) => route.abort());
    await tenSeconds(page);
    await toast(page, 'Hana Abe could not be deleted.').waitFor();
    await card(page, 'default-hana').waitFor();
    await page.getByText(/^Server away\. As of \d{1,2}:\d\d/).waitFor();
    assert.ok(await site.gallery.person('default-hana'), 'nothing was told to the server');
    await enrolByVector(site, { userid: 'new', username: 'Newly Come', distance: 3 });
    await page.unroute('**/api/**');
    await page.locator('#retry').click();
    await card(page, 'default-new').waitFor();
    await page.locator('#away').waitFor({ state: 'hidden' });
    await toast(page, 'Hana Abe could not be deleted.').getByRole('button', { name: 'Try again' }).click();
    await card(page, 'default-hana').waitFor({ state: 'detached' });
    assert.equal(await site.gallery.person('default-hana'), undefined);
    assert.deepEqual(faults, []);
  });

  it('a page that is opened while the server is away fills itself when it is back', async (t) => {
    const { page } = await visit(t, '/people', {}, async (tab, site) => {
      await prepare(tab, site);
      await tab.route('**/api/**', (route) => route.abort());
    });
    await page.getByText('Server away. This page opens by itself').waitFor();
    await page.unroute('**/api/**');
    await page.clock.fastForward(3000);
    await card(page, 'default-ken').waitFor();
  });
});

describe('how people are found', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  it('the address holds search, group and order: Back, Forward and Reload show the same again', async (t) => {
    const { page } = await visit(t, '/people', {}, enrolOthers);
    await card(page, 'default-ken').waitFor();
    await page.locator('#sort').selectOption('faces');
    await page.waitForFunction(
      () => document.querySelector<HTMLElement>('.person-card')?.dataset.faceid === 'default-ken',
    );
    await page.locator('#group-filter').selectOption('default');
    await card(page, 'staff-mari').waitFor({ state: 'detached' });
    await page.locator('#search').pressSequentially('hana', { delay: 5 });
    await card(page, 'default-ken').waitFor({ state: 'detached' });
    assert.equal(new URL(page.url()).search, '?search=hana&group=default&sort=faces');
    await page.reload();
    await card(page, 'default-hana').waitFor();
    assert.equal(await page.locator('.person-card').count(), 1);
    assert.equal(await page.locator('#search').inputValue(), 'hana');
    assert.equal(await page.locator('#group-filter').inputValue(), 'default');
    await page.goBack();
    await card(page, 'default-ken').waitFor();
    assert.equal(await page.locator('#search').inputValue(), '');
    await page.goBack();
    await card(page, 'staff-mari').waitFor();
    await page.goForward();
    await card(page, 'staff-mari').waitFor({ state: 'detached' });
    assert.equal(await page.locator('#group-filter').inputValue(), 'default');
  });

  it('many people are read page by page, and the page stands in the address', async (t) => {
    const asked: string[] = [];
    const { page } = await visit(t, '/people?page=2', {}, async (tab, site) => {
      tab.on('request', (request) => {
        if (request.url().includes('/api/v1/people?')) asked.push(new URL(request.url()).search);
      });
      for (let i = 0; i < 60; i++) {
        await site.gallery.createPerson({ groupid: 'default', userid: `p${i}`, username: `Person ${i}` });
      }
    });
    await page.getByText('49–61 of 61').waitFor();
    assert.equal(await page.locator('.person-card').count(), 13);
    await page.locator('#back').click();
    await page.getByText('1–48 of 61').waitFor();
    assert.equal(await page.locator('.person-card').count(), 48);
    await page.goBack();
    await page.getByText('49–61 of 61').waitFor();
    assert.ok(asked.every((query) => new URLSearchParams(query).get('limit') === '48'));
  });

  it('arrow keys lead from the search through the faces, and Enter opens one', async (t) => {
    const { page } = await visit(t, '/people', {}, enrolOthers);
    await card(page, 'default-ken').waitFor();
    await page.locator('#search').press('ArrowDown');
    assert.equal(await focused(page), 'default-hana');
    await page.keyboard.press('ArrowRight');
    assert.equal(await focused(page), 'default-ken');
    await page.keyboard.press('End');
    assert.equal(await focused(page), 'staff-mari');
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    await page.locator('dialog').getByRole('heading', { name: 'Hana Abe' }).waitFor();
    assert.equal(new URL(page.url()).search, '?person=default-hana');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    assert.equal(await focused(page), 'default-hana');
  });

  it('the menu is a menu: keys move in it, Escape gives the focus back', async (t) => {
    const { page } = await visit(t, '/people', {}, enrolOthers);
    await card(page, 'default-ken').waitFor();
    await page.locator('#menu-button').focus();
    await page.keyboard.press('ArrowUp');
    assert.equal(await focused(page), 'csv');
    await page.keyboard.press('ArrowDown');
    assert.equal(await focused(page), 'select-several');
    await page.keyboard.press('e');
    assert.equal(await focused(page), 'export');
    await page.keyboard.press('Escape');
    assert.equal(await focused(page), 'menu-button');
    assert.equal(await page.locator('#menu').isVisible(), false);
  });

  it('a phone shows the first person at once, under the search and one button', async (t) => {
    const { page } = await visit(t, '/people', SIZES.phone, enrolOthers);
    const box = await card(page, 'default-hana').boundingBox();
    assert.ok(box && box.y + box.height < 400, `the first person ends at ${box?.y} + ${box?.height}`);
    assert.equal(await page.locator('main button:visible, main select:visible').count(), 1 + 3);
    await assertFits(page);
    await page.locator('#menu-button').click();
    await page.locator('#show-filters').click();
    await page.locator('#sort').selectOption('newest');
    await page.locator('#menu-button').click();
    await page.locator('#select-several').click();
    await pick(page, 'default-ken').tap();
    await page.getByText('1 selected').waitFor();
    await assertFits(page);
  });

  it('a key that may only recognise sees nothing that it may not do', async (t) => {
    const { page } = await visit(t, '/people', {}, async (tab, site) => {
      await enrolOthers(tab, site);
      await tab.route('**/api/v1/session', (route) =>
        route.fulfill({
          json: { auth: 'key', signedIn: true, name: 'door', role: 'recognise', groups: null },
        }),
      );
    });
    await card(page, 'default-ken').waitFor();
    assert.equal(await page.locator('#menu-button').isVisible(), false);
    assert.equal(await page.locator('main').getByRole('checkbox').count(), 0);
    await card(page, 'default-ken').click();
    await page.locator('dialog .kept-pictures li').nth(1).waitFor();
    assert.equal(await page.locator('dialog').getByRole('button').count(), 1, 'Close');
    assert.equal(await page.locator('dialog form, dialog a').count(), 0);
  });
});

describe('where no pictures are kept', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite({ settings: { KEEP_FACES: false } });

  it('the page says so once, and shows initials', async (t) => {
    const { page } = await visit(t, '/people', {}, async (_page, site) => {
      await enrolByVector(site, { userid: 'aya', username: '佐藤 彩', distance: 1 });
    });
    await page.getByText(/KEEP_FACES is off/).waitFor();
    assert.equal(await card(page, 'default-aya').locator('.portrait').textContent(), '佐彩');
    await page.getByRole('button', { name: 'Got it' }).click();
    await page.reload();
    await card(page, 'default-aya').waitFor();
    assert.equal(await page.getByText(/KEEP_FACES is off/).isVisible(), false);
  });
});
