/**
 * Measures what a page feels like, with a moving face of the photographs of face-api before the camera and the networks of
 * `npm run bench`: `node dist/test/browser/support/measure-pages.js`. Browser and server share this machine's cores.
 */
import path from 'node:path';
import type { Page } from 'playwright-core';
import { composeFrame } from '../../../src/bench/frames.js';
import { QUICK } from '../../../src/bench/effort.js';
import { benchPack } from '../../../src/bench/pack.js';
import { galleryOf, startServer } from '../../../src/bench/server.js';
import { PROJECT_ROOT } from '../../../src/platform/root.js';
import { LAPTOP, openBrowser, openTab } from './browser.js';
import { countAnswers } from './drawn.js';

const STARTS = 5;
const SECONDS = 10;
/** Three frames of the camera a step, to and fro. */
const SWAY = Array.from({ length: 40 }, (_, i) => Math.round(40 * Math.sin((i / 40) * 2 * Math.PI)));

const jobs: (() => unknown)[] = [];
const t = { after: (job: () => unknown) => void jobs.push(job) };

/** Milliseconds from the begin of the navigation until the page can be used, and until the first face is named. */
async function open(page: Page, url: string): Promise<{ usable: number; answered: number }> {
  await page.goto(url, { waitUntil: 'commit' });
  const since = () => page.evaluate(() => performance.now());
  await page.waitForFunction(() => {
    const video = document.querySelector('video');
    const button = document.querySelector<HTMLButtonElement>('#freeze');
    return video !== null && video.readyState >= 2 && button !== null && !button.disabled;
  });
  const usable = await since();
  await page.locator('#faces button').first().waitFor();
  return { usable, answered: await since() };
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

try {
  const context = {
    effort: QUICK,
    folder: path.join(PROJECT_ROOT, 'cache', 'bench'),
    add: () => undefined,
    note: (note: string) => console.log(note),
  };
  const pack = await benchPack({ MODELS_DIR: path.join(PROJECT_ROOT, 'models') }, context);
  const server = await startServer(await galleryOf(QUICK.people, pack, context));
  t.after(() => server.end());
  const browser = await openBrowser(t, {
    picture: await composeFrame('1 face'),
    shifts: SWAY,
    rate: 20,
  });
  const starts: { usable: number; answered: number }[] = [];
  for (let i = 0; i < STARTS; i++) {
    // A context of its own each time: nothing is in the browser's cache.
    const { page, context: tab } = await openTab(browser, { viewport: LAPTOP });
    starts.push(await open(page, server.origin));
    await tab.close();
  }
  const usable = starts.map((start) => start.usable);
  const answered = starts.map((start) => start.answered);
  console.log(
    `Usable after ${median(usable).toFixed(0)} ms (median of ${STARTS}, cold cache), first face shown after ${median(answered).toFixed(0)} ms.`,
  );

  const { page } = await openTab(browser, { viewport: LAPTOP });
  await countAnswers(page);
  await page.addInitScript(() => {
    const counts = { drawn: 0 };
    Object.assign(window, { counts });
    const brush = CanvasRenderingContext2D.prototype as { clearRect: (...args: number[]) => void };
    const { clearRect } = brush;
    brush.clearRect = function (...args) {
      counts.drawn += 1;
      clearRect.apply(this, args);
    };
  });
  await open(page, server.origin);
  const counts = () =>
    page.evaluate(() => {
      const now = window as unknown as { answers: number; counts: { drawn: number } };
      return { answers: now.answers, ...now.counts };
    });
  await page.waitForTimeout(3000);
  const before = await counts();
  await page.waitForTimeout(SECONDS * 1000);
  const after = await counts();
  const perSecond = (key: 'answers' | 'drawn') => ((after[key] - before[key]) / SECONDS).toFixed(1);
  console.log(
    `640x360, one moving face: ${perSecond('answers')} answers and ${perSecond('drawn')} drawings a second.`,
  );
} finally {
  for (const job of jobs.reverse()) await job();
}
