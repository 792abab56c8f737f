import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { composeFrame } from '../../src/bench/frames.js';
import { form } from '../support/form.js';
import { portrait } from '../support/photographs.js';
import { CHROMIUM_MISSING, openBrowser, openSite, openTab, PATIENCE, type Site } from './support/browser.js';
import { faceFreePicture } from './support/video.js';

/** Moves to and fro, so that the boxes have a way to go. */
const SWAY = [0, 4, 8, 12, 16, 12, 8, 4];

async function enrol(site: Site, userid: string, username: string, picture: Buffer): Promise<void> {
  const parts = await form(
    ['userid', userid],
    ['groupid', 'default'],
    ['username', username],
    ['image', picture],
  );
  const answer = await site.server.post('/api/face_register', parts);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

/** Pixels of the overlay that are drawn upon. */
const drawnPixels = (page: Page) =>
  page.locator('canvas.overlay').evaluate((canvas: HTMLCanvasElement) => {
    const context = canvas.getContext('2d');
    const pixels = context?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    let drawn = 0;
    for (let i = 3; i < pixels.length; i += 4) if (pixels[i] > 0) drawn += 1;
    return drawn;
  });

describe('the pages in a browser', { skip: CHROMIUM_MISSING }, () => {
  it('runs the recognition page on a camera without a face', async (t) => {
    const site = await openSite(t);
    const browser = await openBrowser(t, { picture: await faceFreePicture() });
    const { page, faults } = await openTab(browser);
    await page.goto(site.url);
    await page.waitForFunction(() => document.querySelector('#round-trip')?.textContent.includes('ms'));
    assert.equal(await page.locator('#faces button').count(), 0);
    assert.equal(await page.locator('.notice').isVisible(), false);
    assert.match((await page.locator('#pack').textContent()) ?? '', /face-api/i);
    assert.deepEqual(faults, []);
  });

  it('enrols through /add, then draws a box with the right name', async (t) => {
    const site = await openSite(t);
    await enrol(site, 'fay', 'Fay S.', await portrait('fay'));
    const scene = { picture: await composeFrame('1 face'), shifts: SWAY };
    const browser = await openBrowser(t, scene);
    const { page, faults } = await openTab(browser);
    await enrolsThroughAdd(t, page, site);
    await seesRose(page, site);
    assert.deepEqual(faults, []);
  });
});

async function seesRose(page: Page, site: Site): Promise<void> {
  // What is written on the overlay: the page draws its labels, a test can only watch it draw.
  await page.addInitScript(() => {
    const written: string[] = [];
    Object.assign(window, { written });
    const brush = CanvasRenderingContext2D.prototype as {
      fillText: (...args: [string, number, number]) => void;
    };
    const write = brush.fillText;
    brush.fillText = function (...args) {
      written.push(args[0]);
      write.apply(this, args);
    };
  });
  await page.goto(site.url);
  await page.locator('#faces button', { hasText: 'Rose R.' }).waitFor();
  await page.waitForFunction(() => (window as unknown as { written: string[] }).written.includes('Rose R.'));
  assert.ok((await drawnPixels(page)) > 500, 'a box and a label are drawn');
  assert.equal(await page.locator('#faces button', { hasText: 'Fay S.' }).count(), 0);
  await page.waitForFunction(() => document.querySelector('#announcer')?.textContent.includes('Rose R.'));
}

async function enrolsThroughAdd(t: TestContext, page: Page, site: Site): Promise<void> {
  await page.goto(`${site.url}/add`);
  await page.locator('#username').fill('Rose R.');
  await page.locator('#more summary').click();
  await page.locator('#group').selectOption('*new');
  await page.locator('#new-groupid').fill('guests');
  await page.locator('#new-groupname').fill('Guests');
  await page.locator('#userid').fill('rose');
  await page.locator('#stage[data-camera="live"]').waitFor();
  await page.locator('#start').click();
  const pictures = page.locator('#pictures li');
  // By hand, where the guide has not taken one before.
  if ((await pictures.count()) === 0) await page.locator('#capture').click();
  await pictures.first().waitFor();
  await page.locator('#enrol').click();
  await page.locator('.outcome.good').waitFor({ timeout: PATIENCE });
  assert.match((await page.locator('#outcome').textContent()) ?? '', /Rose R\./);
  const infos = (await site.server.get('/api/faceid_infos')).body as { faceid: string; numfiles: number }[];
  assert.equal(infos.find(({ faceid }) => faceid === 'guests-rose')?.numfiles, 1);
  t.diagnostic('enrolled guests-rose through /add');
}
