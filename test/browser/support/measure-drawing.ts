/**
 * Measures what needs no network: how soon each page can be used, and how smoothly the recognition page draws 32 people who
 * move, with two answers a second: `node dist/test/browser/support/measure-drawing.js`. Browser and server share this
 * machine's cores, and the browser draws without a GPU.
 */
import type { Browser, Page } from 'playwright-core';
import { type AppSite, enrolByVector, type Found, openAppSite } from './app-site.js';
import { LAPTOP, openBrowser, openTab } from './browser.js';
import { countAnswers } from './drawn.js';
import { drawScene, PORTRAITS } from './portrait.js';

const STARTS = 7;
const SECONDS = 10;
const PEOPLE = 32;
/** The server takes one frame of a stream after the other; so long for each, milliseconds. */
const TWO_A_SECOND = 500;
const STEP = 100;

/** By page: what somebody came for is there and can be used. */
const USABLE: [address: string, selector: string][] = [
  ['/', 'body:has(#stage[data-camera="live"]) #freeze:enabled'],
  ['/add', 'body:has(#stage[data-camera="live"]) #start:enabled'],
  ['/people', '.person-card'],
  ['/status', '#verdict[data-level="good"], #verdict[data-level="warn"]'],
];

const jobs: (() => unknown)[] = [];
const t = { after: (job: () => unknown) => void jobs.push(job) };

const sorted = (values: number[]) => [...values].sort((a, b) => a - b);
const at = (values: number[], part: number) =>
  sorted(values)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? Number.NaN;

/** People in four rows, who sway. */
function crowd(time: number): Found[] {
  return Array.from({ length: PEOPLE }, (_, i) => ({
    x: 0.07 + (i % 8) * 0.123 + 0.02 * Math.sin(time / 700 + i),
    y: 0.16 + Math.floor(i / 8) * 0.22 + 0.015 * Math.cos(time / 900 + i * 2),
    scale: 0.22 + (i % 3) * 0.05,
    distance: i % 5 === 0 ? 0.02 : 2,
  }));
}

async function measureStarts(browser: Browser, site: AppSite): Promise<void> {
  for (const [address, selector] of USABLE) {
    const times: number[] = [];
    for (let i = 0; i < STARTS; i++) {
      // A context of its own each time: nothing is in the browser's cache.
      const { page, context } = await openTab(browser, { viewport: LAPTOP });
      await page.goto(site.url + address, { waitUntil: 'commit' });
      await page.waitForSelector(selector, { state: 'attached' });
      times.push(await page.evaluate(() => performance.now()));
      await context.close();
    }
    console.log(
      `${address} can be used after ${at(times, 0.5).toFixed(0)} ms (median of ${STARTS}, nothing cached; longest ${Math.max(...times).toFixed(0)} ms).`,
    );
  }
}

interface Counted {
  answers: number;
  /** What each drawing took, milliseconds, and when it began. */
  took: number[];
  began: number[];
}

/** Notes each callback of an animation frame that clears a canvas of the page. */
function countDrawings(page: Page): Promise<unknown> {
  return page.addInitScript(() => {
    const counted: Omit<Counted, 'answers'> = { took: [], began: [] };
    Object.assign(window, { counted });
    const drawn = { times: 0 };
    const brush = CanvasRenderingContext2D.prototype as { clearRect: (...args: number[]) => void };
    const { clearRect } = brush;
    brush.clearRect = function (...args) {
      drawn.times += 1;
      clearRect.apply(this, args);
    };
    const frame = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (callback) =>
      frame((time) => {
        const before = drawn.times;
        const begin = performance.now();
        callback(time);
        if (drawn.times > before) note(begin);
      });
    const note = (begin: number) => {
      counted.took.push(performance.now() - begin);
      counted.began.push(begin);
    };
  });
}

async function measureDrawing(browser: Browser, site: AppSite): Promise<void> {
  const { page, context } = await openTab(browser, { viewport: { width: 1280, height: 800 } });
  await countAnswers(page);
  await countDrawings(page);
  site.delay = TWO_A_SECOND;
  const timer = setInterval(() => (site.found = crowd(Date.now())), STEP);
  t.after(() => clearInterval(timer));
  await page.goto(site.url);
  await page
    .locator('#faces button')
    .nth(PEOPLE - 1)
    .waitFor();
  await page.waitForTimeout(2000);
  const read = () =>
    page.evaluate((): Counted => {
      const now = window as unknown as { answers: number; counted: Omit<Counted, 'answers'> };
      return { answers: now.answers, ...now.counted };
    });
  // Processor time: what other programs take from this machine does not count.
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const busy = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0) * 1000;
  };
  const [before, busyBefore] = [await read(), await busy()];
  await page.waitForTimeout(SECONDS * 1000);
  const [after, busyAfter] = [await read(), await busy()];
  const took = after.took.slice(before.took.length);
  const began = after.began.slice(before.began.length);
  const gaps = began.slice(1).map((time, i) => time - began[i]);
  const seconds = (began[began.length - 1] - began[0]) / 1000;
  console.log(
    `${PEOPLE} moving faces, ${((after.answers - before.answers) / SECONDS).toFixed(1)} answers a second: ` +
      `${(gaps.length / seconds).toFixed(1)} drawings a second; one takes ${at(took, 0.5).toFixed(2)} ms ` +
      `(p95 ${at(took, 0.95).toFixed(2)}, longest ${Math.max(...took).toFixed(1)}); ` +
      `between two p95 ${at(gaps, 0.95).toFixed(1)} ms, longest ${Math.max(...gaps).toFixed(0)} ms; ` +
      `all that the page does takes ${((busyAfter - busyBefore) / gaps.length).toFixed(2)} ms of processor time a drawing.`,
  );
  await context.close();
}

try {
  const site = await openAppSite(t);
  await enrolByVector(site, { userid: 'ken', username: 'Ken Mori', distance: 0 });
  site.found = [{ x: 0.5, y: 0.5, scale: 1, distance: 0.02 }];
  const picture = await drawScene([{ x: 0.5, y: 0.5, scale: 1, portrait: PORTRAITS.ken }]);
  // It moves, so that every frame is another one.
  const shifts = Array.from({ length: 40 }, (_, i) => Math.round(40 * Math.sin((i / 40) * 2 * Math.PI)));
  const browser = await openBrowser(t, { picture, shifts, rate: 20 });
  await measureStarts(browser, site);
  await measureDrawing(browser, site);
} finally {
  for (const job of jobs.reverse()) await job();
}
