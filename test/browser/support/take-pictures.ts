/**
 * Makes the pictures of the pages that the documents show, with drawn people in front of the camera:
 * `node dist/test/browser/support/take-pictures.js`.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import type { Page } from 'playwright-core';
import { PROJECT_ROOT } from '../../../src/platform/root.js';
import { enrolByVector, openAppSite } from './app-site.js';
import { openBrowser, openTab } from './browser.js';
import { drawScene, PORTRAITS } from './portrait.js';

const FOLDER = path.join(PROJECT_ROOT, 'docs', 'pictures');
const { hana, ken, mari } = PORTRAITS;
const KEN = { x: 0.27, y: 0.5, scale: 1, portrait: ken, distance: 0.02 };
const STRANGER = { x: 0.72, y: 0.54, scale: 0.9, portrait: hana, distance: 2 };
const MARI = { x: 0.5, y: 0.5, scale: 1.15, portrait: mari, distance: 4 };

const jobs: (() => unknown)[] = [];
const t = { after: (job: () => unknown) => jobs.push(job) };

async function save(page: Page, name: string): Promise<void> {
  const shot = await page.screenshot();
  await sharp(shot)
    .png({ palette: true, effort: 10 })
    .toFile(path.join(FOLDER, `${name}.png`));
}

try {
  await mkdir(FOLDER, { recursive: true });
  const site = await openAppSite(t);
  await enrolByVector(site, { userid: 'ken', username: 'Ken Mori', distance: 0, pictures: 3 });

  site.found = [KEN, STRANGER];
  const two = await openBrowser(t, { picture: await drawScene([KEN, STRANGER]) });
  const viewport = { width: 1280, height: 760 };
  const { page: recognition } = await openTab(two, { viewport });
  await recognition.goto(site.url);
  await recognition.locator('#faces button').nth(1).waitFor();
  // A moment in which the boxes have arrived and the figures are written.
  await recognition.waitForTimeout(4000);
  await save(recognition, 'recognition');
  await two.close();

  site.found = [MARI];
  const one = await openBrowser(t, { picture: await drawScene([MARI]) });
  const { page: enrolment } = await openTab(one, { viewport: { width: 1280, height: 860 } });
  await enrolment.goto(`${site.url}/add?userid=mari&username=Mari%20Ito`);
  await enrolment.locator('#start').click();
  await enrolment.locator('#pictures li').first().waitFor();
  await enrolment.waitForTimeout(1000);
  await save(enrolment, 'enrolment');
} finally {
  for (const job of jobs.reverse()) await job();
}
