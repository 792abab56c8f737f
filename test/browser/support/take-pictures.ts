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
import { come, dayBegins } from './came-by.js';
import { drawScene, PORTRAITS } from './portrait.js';

const FOLDER = path.join(PROJECT_ROOT, 'docs', 'pictures');
const { emma, hana, ken, mari, taro } = PORTRAITS;
const KEN = { x: 0.27, y: 0.5, scale: 1, portrait: ken, distance: 0.02 };
const STRANGER = { x: 0.72, y: 0.54, scale: 0.9, portrait: hana, distance: 2 };
const MARI = { x: 0.5, y: 0.5, scale: 1.15, portrait: mari, distance: 4 };

/** Degrees to the left, as the guide asks. */
const LEFT = 25;
/** Who came by, from eight past five on, backwards: minutes before. */
const CAME = [
  { faceid: 'default-ken', before: 0, portrait: ken, isEnded: false },
  { faceid: 'default-emma', before: 9, portrait: emma, deviceid: 'reception' },
  { before: 16, far: 3.5, portrait: hana },
  { faceid: 'default-taro', before: 31, portrait: taro },
  { faceid: 'default-mari', before: 44, portrait: mari, deviceid: 'reception' },
  { before: 58, far: 3.5, portrait: hana, deviceid: 'yard' },
  { faceid: 'default-ken', before: 95, portrait: ken, deviceid: 'yard' },
  { faceid: 'default-emma', before: 122, portrait: emma },
  { faceid: 'default-taro', before: 141, portrait: taro, deviceid: 'reception' },
];
const FIVE_PAST = 17 * 60 + 7;

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
  const site = await openAppSite(t, { settings: { KEEP_FACES: true } });
  await enrolByVector(site, { userid: 'ken', username: 'Ken Mori', distance: 0, pictures: 3, portrait: ken });

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
  await enrolment.goto(`${site.url}/add?username=Mari%20Ito`);
  await enrolment.locator('#start').click();
  await enrolment.locator('#pictures li').first().waitFor();
  // The head turns to its left, and then no farther.
  site.found = [{ ...MARI, yaw: LEFT }];
  await enrolment.locator('#pictures li').nth(1).waitFor();
  await enrolment.waitForTimeout(1000);
  await save(enrolment, 'enrolment');
  await enrolment.close();

  const door = await openAppSite(t, {
    settings: { KEEP_FACES: true, SIGHTINGS: true, KEEP_SIGHTINGS: true },
  });
  for (const [distance, [userid, username, portrait]] of (
    [
      ['ken', 'Ken Mori', ken],
      ['emma', 'Emma Lind', emma],
      ['taro', '佐藤 太郎', taro],
      ['mari', 'Mari Ito', mari],
    ] as const
  ).entries()) {
    await enrolByVector(door, { userid, username, distance, portrait });
  }
  await come(door, ...CAME.map(({ before, ...who }) => ({ ...who, at: FIVE_PAST - before })));
  // By then all are gone but the last one.
  await door.sightings?.store.ask('closeVisits', dayBegins() + FIVE_PAST * 60_000 + 25_000);
  const { page: today } = await openTab(one, { viewport: { width: 1280, height: 560 } });
  await today.goto(`${door.url}/today`);
  await today
    .locator('.visit-card')
    .nth(CAME.length - 1)
    .waitFor();
  await today.waitForTimeout(1000);
  await save(today, 'today');
} finally {
  for (const job of jobs.reverse()) await job();
}
