import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { CHROMIUM_MISSING } from './support/browser.js';
import { everybody } from '../support/galleries.js';
import { until } from '../support/until.js';
import { browserForSuite, card, enrolOthers, assertFits, SIZES } from './support/visit.js';

describe('the page of people', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  for (const [size, options] of Object.entries(SIZES)) {
    it(`manage people on a ${size}: search, groups, rename, move, merge`, async (t) => {
      const { page, site, faults } = await visit(t, '/people', options, enrolOthers);
      await card(page, 'default-ken').waitFor();
      await assertFits(page);
      await page.locator('#search').fill('mari');
      await card(page, 'default-ken').waitFor({ state: 'detached' });
      await page.locator('#search').fill('');
      if (size === 'phone') {
        await page.locator('#menu-button').click();
        await page.locator('#show-filters').click();
      }
      // At once: what was typed last counts although it was not searched for yet.
      await page.locator('#group-filter').selectOption('staff');
      await card(page, 'default-ken').waitFor({ state: 'detached' });
      await page.locator('#group-filter').selectOption('');

      await card(page, 'default-hana').click();
      await page.locator('dialog .kept-pictures img').first().waitFor();
      assert.equal(await page.locator('dialog .kept-pictures img').count(), 1);
      await page.locator('#rename').fill('Hana Sato');
      await page.locator('#rename').press('Enter');
      await page.locator('.person-card', { hasText: 'Hana Sato' }).click();
      await page.locator('#move-group').selectOption('staff');
      await page
        .locator('form', { has: page.locator('#move-group') })
        .getByRole('button')
        .click();
      await card(page, 'staff-hana').click();
      await page.locator('#same-person').click();
      await page.locator('#merge-search').fill('ken');
      await page.locator('.found [data-faceid="default-ken"]').click();
      await page.getByRole('button', { name: 'Keep Hana Sato' }).click();
      await card(page, 'default-ken').waitFor({ state: 'detached' });
      await page.goto(`${site.url}/status`);
      await until(async () => (await site.gallery.person('staff-hana'))?.faces.length === 3);
      assert.equal((await site.gallery.person('staff-hana'))?.username, 'Hana Sato');
      assert.deepEqual(faults, []);
    });
  }

  it('deletes a person after ten seconds, unless undone, and at once when the page is left', async (t) => {
    const { page, site } = await visit(t, '/people', {}, enrolOthers);
    const remove = async () => {
      await card(page, 'default-hana').click();
      await page.locator('#remove-person').click();
      await page.locator('dialog.question').getByRole('button', { name: 'Delete' }).click();
      await card(page, 'default-hana').waitFor({ state: 'detached' });
    };
    await remove();
    assert.ok(await site.gallery.person('default-hana'), 'the server does not know yet');
    await page.locator('.toast').getByRole('button', { name: 'Undo' }).click();
    await card(page, 'default-hana').waitFor();
    await remove();
    await page.goto(`${site.url}/status`);
    await until(async () => (await site.gallery.person('default-hana')) === undefined);
  });

  for (const [locale, none, record, save] of [
    ['en', 'None is recorded.', 'Record a consent…', 'Save'],
    ['ja', '記録はありません。', '同意を記録…', '保存'],
  ] as const) {
    it(`records a person’s consent, shows it, and takes it away (${locale})`, async (t) => {
      const { page, site, faults } = await visit(t, '/people', { locale }, enrolOthers);
      const consent = page.locator('#consent');
      const stored = async () => (await site.gallery.person('default-hana'))?.consent;
      await card(page, 'default-hana').click();
      await consent.getByText(none).waitFor();
      await consent.getByText(record).click();
      await page.locator('#consent-how').selectOption('verbal');
      await page.locator('#consent-given').fill('2024-05-02');
      await page.locator('#consent-note').fill('Folder 12');
      const until = new Date(Date.now() + 864e5 * 10).toISOString().slice(0, 10);
      await page.locator('#consent-until').fill(until);
      await consent.getByRole('button', { name: save, exact: true }).click();
      await page.locator('dialog').waitFor({ state: 'detached' });
      const { by, ...kept } = (await stored()) ?? { by: '' };
      assert.deepEqual(kept, { given: '2024-05-02', how: 'verbal', note: 'Folder 12', until });
      assert.notEqual(by, '');
      await card(page, 'default-hana').click();
      await consent.getByText('Folder 12').waitFor();
      assert.equal(await consent.locator('.fault').count(), 1, 'it ends soon');
      await assertFits(page);
      await consent.locator('summary').click();
      await consent.getByRole('button').last().click();
      await page.locator('dialog').waitFor({ state: 'detached' });
      assert.equal(await stored(), undefined);
      assert.deepEqual(faults, []);
    });
  }

  for (const [locale, text] of [
    ['en', 'No picture: enrol one'],
    ['ja', '画像なし（登録が必要）'],
  ] as const) {
    it(`lists who has no picture that can be compared, and shows them alone (${locale})`, async (t) => {
      const { page, faults } = await visit(t, '/people', { locale }, async (_page, site) => {
        await enrolOthers(_page, site);
        await site.gallery.createPerson({ groupid: 'staff', userid: 'lost', username: 'Lost' });
      });
      await card(page, 'staff-lost').getByText(text).waitFor();
      assert.equal(await card(page, 'default-hana').getByText(text).count(), 0);
      await page.locator('#picture-filter').selectOption('none');
      await card(page, 'default-hana').waitFor({ state: 'detached' });
      assert.equal(await page.locator('.person-card').count(), 1);
      assert.deepEqual(faults, []);
    });
  }

  it('saves everyone as an archive and brings them back from it', async (t) => {
    const { page, site, faults } = await visit(t, '/people', {}, enrolOthers);
    const download = page.waitForEvent('download');
    await page.locator('#menu-button').click();
    await page.locator('#export').click();
    const archive = await readFile(await (await download).path());
    for (const { groupid, userid } of await everybody(site.gallery))
      await site.gallery.remove(groupid, userid);
    await page.reload();
    await page.locator('#nobody').waitFor();
    assert.equal(await page.locator('.person-card').count(), 0);

    await page
      .locator('#import-file')
      .setInputFiles({ name: 'everyone.zip', mimeType: 'application/zip', buffer: archive });
    await card(page, 'staff-mari').waitFor();
    await card(page, 'default-ken').click();
    await page.locator('dialog .kept-pictures img').nth(1).waitFor();
    assert.equal((await site.gallery.person('staff-mari'))?.username, 'Mari Ito');
    assert.equal((await site.gallery.person('default-ken'))?.faces.length, 2);

    await page
      .locator('#import-file')
      .setInputFiles({ name: 'no.zip', mimeType: 'application/zip', buffer: archive.subarray(0, 900) });
    await page.locator('.toast.bad').waitFor();
    assert.equal((await everybody(site.gallery)).length, 3, 'a damaged archive changes nothing');
    assert.deepEqual(faults, []);
  });

  it('deletes one picture, and saves the list as CSV', async (t) => {
    const { page, site } = await visit(t, '/people', {}, enrolOthers);
    await card(page, 'default-ken').click();
    await page.locator('dialog .kept-pictures .cross').first().click();
    await until(async () => (await page.locator('dialog .kept-pictures li').count()) === 1);
    await page.locator('dialog header .cross').click();
    const download = page.waitForEvent('download');
    await page.locator('#menu-button').click();
    await page.locator('#csv').click();
    const csv = await readFile(await (await download).path(), 'utf8');
    assert.match(csv, /^\uFEFFfaceid,groupid,userid,username,pictures,enrolledAt\r\n/);
    assert.match(csv, /staff-mari,staff,mari,Mari Ito,1,/);
    await page.goto(`${site.url}/status`);
    await until(async () => (await site.gallery.person('default-ken'))?.faces.length === 1);
  });
});
