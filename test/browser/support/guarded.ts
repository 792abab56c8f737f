import { after, before, type TestContext } from 'node:test';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { createKeys, type Keys, type NewKey } from '../../../src/access/keys.js';
import { createLinks } from '../../../src/access/links.js';
import { temporaryFolder } from '../../support/temporary.js';
import { type AppSite, enrolByVector, openAppSite, type SiteOptions } from './app-site.js';
import { openBrowser, openTab, PASSING, type Visit } from './browser.js';

/** A tab on a server that asks for keys. */
export interface Guarded extends Visit {
  site: AppSite;
  keys: Keys;
  browser: Browser;
  /** A link that signs in once as the key of the tab. */
  link: () => Promise<string>;
}

/**
 * A browser for the tests of a suite; to be called in it.
 * @returns opens a server that asks for keys, with Ken enrolled and a second group, and a tab that is signed in with a
 * key; `wanted` undefined: with none
 */
export function guardedForSuite(more: SiteOptions['settings'] = {}) {
  const jobs: (() => unknown)[] = [];
  let browser: Browser;
  before(async () => {
    browser = await openBrowser({ after: (job) => jobs.push(job as () => unknown) });
  });
  after(async () => {
    for (const job of jobs.reverse()) await job();
  });

  return async (
    t: TestContext,
    wanted: NewKey | undefined,
    path: string,
    options: BrowserContextOptions = {},
    prepare?: (site: AppSite) => unknown,
  ): Promise<Guarded> => {
    const KEYS_FILE = `${await temporaryFolder(t)}/keys.json`;
    const site = await openAppSite(t, { settings: { AUTH: 'key', KEYS_FILE, ...more } });
    const keys = createKeys({ file: KEYS_FILE });
    await site.gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
    await enrolByVector(site, { userid: 'ken', username: 'Ken Mori', distance: 0 });
    await keys.add({ name: 'chief', role: 'admin' });
    await prepare?.(site);
    const tab = await openTab(browser, options);
    t.after(() => tab.context.close());
    const link = async () => {
      const { token } = await createLinks({ file: KEYS_FILE }).make(wanted?.name);
      return `${site.url}/signin#token=${token}`;
    };
    if (wanted) {
      await keys.add(wanted);
      await tab.page.goto(await link(), PASSING);
      await tab.page.waitForURL(`${site.url}/`);
    }
    // A page that nobody is signed in for goes on to signing in.
    await tab.page.goto(site.url + path, PASSING);
    return { ...tab, site, keys, browser, link };
  };
}
