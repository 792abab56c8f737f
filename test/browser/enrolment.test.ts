import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { CHROMIUM_MISSING } from './support/browser.js';
import { drawScene } from './support/portrait.js';
import { browserForSuite, fits, KEN, SIZES, STRANGER } from './support/visit.js';

/** The film is a still; of a camera no two pictures have the same bytes. */
async function noisyCamera(page: Page): Promise<void> {
  await page.addInitScript(() => {
    let taken = 0;
    const { prototype } = HTMLCanvasElement;
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its canvas below
    const original = prototype.toBlob;
    prototype.toBlob = function (done, ...rest) {
      const marked = (blob: Blob) => new Blob([blob, String(++taken).padStart(6)], { type: blob.type });
      original.call(this, (blob) => done(blob && marked(blob)), ...rest);
    };
  });
}

describe('the enrolment page', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite();

  for (const [size, options] of Object.entries(SIZES)) {
    it(`enrols on a ${size}: three good pictures taken by themselves`, async (t) => {
      const { page, site, faults } = await visit(t, '/add', options, noisyCamera);
      site.found = [STRANGER];
      await page.locator('#userid').fill('hana');
      await page.locator('#username').fill('Hana Abe');
      await page.locator('#pictures li').nth(2).waitFor();
      assert.equal(await page.locator('#guide li[data-state="good"]').count(), 6);
      assert.equal(await fits(page), true);
      await page.locator('#enrol').click();
      await page.locator('.outcome.good').waitFor();
      assert.match((await page.locator('#outcome').textContent()) ?? '', /Hana Abe.*3 pictures/);
      assert.equal(await page.locator('#pictures li[data-state="stored"]').count(), 3);
      assert.equal((await site.gallery.person('default-hana'))?.faces.length, 3);
      assert.deepEqual(faults, []);
    });
  }

  it('says what is wrong with the picture before it is taken', async (t) => {
    const { page, site } = await visit(t, '/add');
    await page.locator('#guide li[data-check="one"][data-state="bad"]').waitFor();
    site.found = [];
    await page.locator('#guide li[data-check="found"][data-state="bad"]').waitFor();
    site.found = [{ ...STRANGER, scale: 0.2 }];
    await page.locator('#guide li[data-check="large"][data-state="bad"]').waitFor();
    assert.equal(await page.locator('#pictures li').count(), 0, 'none was taken');
  });

  it('warns before a face goes under a second person, and takes files', async (t) => {
    const { page, site } = await visit(t, '/add');
    await page.locator('#auto').uncheck();
    site.found = [KEN];
    const buffer = await drawScene([KEN]);
    await page.locator('#files').setInputFiles({ name: 'ken.png', mimeType: 'image/png', buffer });
    await page.locator('#group').selectOption('*new');
    await page.locator('#new-groupid').fill('guests');
    await page.locator('#userid').fill('other');
    await page.locator('#enrol').click();
    const question = page.locator('dialog.question');
    await question.waitFor();
    assert.match((await question.textContent()) ?? '', /Ken Mori/);
    await question.getByRole('button', { name: 'Cancel' }).click();
    assert.equal(await site.gallery.person('guests-other'), undefined);
    await page.locator('#enrol').click();
    await question.getByRole('button', { name: 'Enrol anyway' }).click();
    await page.locator('.outcome.good').waitFor();
    assert.equal((await site.gallery.person('guests-other'))?.faces.length, 1);
  });

  it('refuses one picture of several and stores the others', async (t) => {
    const { page, site } = await visit(t, '/add');
    await page.locator('#auto').uncheck();
    site.found = [STRANGER];
    const good = { name: 'a.png', mimeType: 'image/png', buffer: await drawScene([STRANGER]) };
    const bad = { name: 'b.png', mimeType: 'image/png', buffer: Buffer.from('no picture') };
    await page.locator('#files').setInputFiles([bad, good]);
    await page.locator('#userid').fill('hana');
    await page.locator('#enrol').click();
    await page.locator('.outcome.good').waitFor();
    assert.equal(await page.locator('#pictures li[data-state="refused"]').count(), 1);
    assert.equal((await site.gallery.person('default-hana'))?.faces.length, 1);
  });
});
