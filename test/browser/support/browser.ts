import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { startServer, type TestServer } from '../../support/server.js';
import { temporaryFolder } from '../../support/temporary.js';
import { type Scene, writeFilm } from './video.js';

/** Debian's Chromium, or undefined where it is not installed. */
const CHROMIUM = (process.env.PATH ?? '')
  .split(path.delimiter)
  .map((folder) => path.join(folder, 'chromium'))
  .find(isProgram);

/** False where Chromium is there, else the reason to skip. */
export const CHROMIUM_MISSING: false | string = CHROMIUM
  ? false
  : 'needs Chromium: as root, `apt-get install chromium` (npm test does it where it may)';

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A wait that a machine shared with others stays under, milliseconds. */
export const PATIENCE = 60_000;

/** Chromium with a film for a camera. @param scene undefined: no camera at all */
export async function openBrowser(t: Pick<TestContext, 'after'>, scene?: Scene): Promise<Browser> {
  const folder = await temporaryFolder(t);
  const film = path.join(folder, 'camera.y4m');
  if (scene) await writeFilm(film, scene);
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
      ...(scene ? ['--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${film}`] : []),
    ],
  });
  t.after(() => browser.close());
  return browser;
}

/**
 * For opening a page that goes on to another one by itself: who waits until it has loaded may be broken off by that.
 * `waitForURL` says when it has.
 */
export const PASSING = { waitUntil: 'commit' } as const;

export const LAPTOP = { width: 1366, height: 768 };
export const PHONE = { width: 390, height: 844 };

export interface Visit {
  context: BrowserContext;
  page: Page;
  /** What went wrong in the page so far: thrown errors and refused resources. */
  faults: string[];
}

/** A tab that may use the camera. */
export async function openTab(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: LAPTOP,
    locale: 'en-GB',
    permissions: ['camera'],
    // It would keep the tests' made answers from the requests that go through it; offline.test.ts is about it.
    serviceWorkers: 'block',
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) faults.push(message.text());
  });
  return { context, page, faults };
}

export interface Site {
  server: TestServer;
  /** `https://localhost:PORT`. */
  url: string;
  settings: Record<string, string> & { CACHE_DIR: string };
}

/** The built server with folders of the test's own; the networks are the project's. */
export async function openSite(t: TestContext, more: Record<string, string> = {}): Promise<Site> {
  const folder = await temporaryFolder(t);
  const settings = {
    MODEL_PACK: 'faceapi',
    EMBEDDINGS_DIR: path.join(folder, 'embeddings'),
    CACHE_DIR: path.join(folder, 'cache'),
    ...more,
  };
  const server = await startServer(settings);
  t.after(() => server.end());
  return { server, url: `https://localhost:${server.port}`, settings };
}
