import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { PACK, unitVector } from '../support/app.js';
import { MEASURED_CURVE } from '../support/curve.js';
import type { AppSite } from './support/app-site.js';
import { CHROMIUM_MISSING } from './support/browser.js';
import { browserForSuite, face, assertFits, KEN, SIZES } from './support/visit.js';

/** For whoever wants to look: `PICTURES=/tmp npm test -- browser/odds`. */
const { PICTURES } = process.env;
const shoot = (page: Page, name: string) =>
  PICTURES ? page.screenshot({ path: path.join(PICTURES, `odds-${name}.png`) }) : undefined;

/** The wall of a small office: with Ken's two, 128 faces are enrolled. */
async function enrolOffice(_page: Page, { gallery }: AppSite): Promise<void> {
  for (let n = 0; n < 126; n++) await gallery.enrol({ groupid: 'default', userid: `u${n}` }, unitVector(4));
}

describe('the odds on the pages', { skip: CHROMIUM_MISSING }, () => {
  const visit = browserForSuite({ deps: { pack: { ...PACK, curve: MEASURED_CURVE } } });

  for (const [locale, texts] of Object.entries({
    en: {
      near: /certain · fewer than 1 in 4,300 strangers$/,
      far: /probably · 1 in 1,100 strangers$/,
      explained: '1 in 1,100 strangers looks as much like somebody enrolled here.',
      threshold: 'Of 100 strangers at most 1 is given a name, with 128 faces enrolled.',
      unknown: 'Unknown face',
    },
    ja: {
      near: /確実 · 他人なら4300人に1人未満$/,
      far: /一致の可能性あり · 他人なら1100人に1人$/,
      explained: '登録済みの誰かにこれほど似ている他人は、1100人に1人です。',
      threshold: '他人 100 人のうち、名前が付くのは多くても 1 人です（登録された顔 128 件）。',
      unknown: '未登録の顔',
    },
  })) {
    it(`are said in words beside a name and for the threshold in force (${locale})`, async (t) => {
      const options = { ...SIZES.laptop, locale };
      const { page, site, faults } = await visit(t, '/', options, enrolOffice);
      await page.locator('#faces .where', { hasText: texts.near }).waitFor();
      await face(page, texts.unknown).waitFor();
      site.found = [{ ...KEN, distance: 1.076 }];
      await page.locator('#faces .where', { hasText: texts.far }).waitFor();
      await face(page, 'Ken Mori').click();
      const dialog = page.locator('dialog.who');
      await dialog.getByText(texts.explained).waitFor();
      await dialog.locator('summary').click();
      await shoot(page, `dialog-${locale}`);
      await page.keyboard.press('Escape');
      await page.goto(`${site.url}/status`);
      await page.getByText(texts.threshold).waitFor();
      await shoot(page, `status-${locale}`);
      await assertFits(page);
      assert.deepEqual(faults, []);
    });
  }

  it('take the name away on the open page when people come, and fit a phone', async (t) => {
    const { page, site } = await visit(t, '/', SIZES.phone);
    site.found = [{ ...KEN, distance: 1.25 }];
    await page.locator('#faces .where', { hasText: /probably · 1 in 4,400 strangers$/ }).waitFor();
    await shoot(page, 'phone');
    await assertFits(page);
    await enrolOffice(page, site);
    await face(page, 'Unknown face').waitFor();
  });
});
