import type { Page } from 'playwright-core';

/** What the browser itself says of how a page came up. */
export interface Vitals {
  /** The sum of all layout shifts that no input caused, as the browser counts them: 0 is none. */
  shift: number;
  /** What moved, for a test's message. */
  moved: string[];
  /** Bytes on the wire of the page and what it loaded by itself, without what the API answered. */
  weight: number;
  /** Those files: `/assets/people.css 1234`. */
  files: string[];
}

interface Shift extends PerformanceEntry {
  value: number;
  hadRecentInput: boolean;
  sources: { node?: Node | null }[];
}

/** Has the browser count layout shifts; before the page is opened. */
export async function watchShifts(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const shifts: { value: number; moved: string[] }[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as Shift[]) {
        if (entry.hadRecentInput) continue;
        const moved = entry.sources.map(({ node }) => {
          if (!(node instanceof Element)) return node?.nodeName ?? '?';
          return `${node.localName}${node.id && `#${node.id}`}.${node.getAttribute('class') ?? ''}`;
        });
        shifts.push({ value: entry.value, moved });
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
}

/** What has been counted since the page was opened. Shifts are there where `watchShifts` came before. */
export function vitalsOf(page: Page): Promise<Vitals> {
  return page.evaluate(() => {
    const { shifts = [] } = window as unknown as { shifts?: { value: number; moved: string[] }[] };
    const entries = [
      ...performance.getEntriesByType('navigation'),
      ...performance.getEntriesByType('resource'),
    ] as PerformanceResourceTiming[];
    const files = entries.filter(({ name }) => !new URL(name).pathname.startsWith('/api/'));
    return {
      shift: shifts.reduce((sum, { value }) => sum + value, 0),
      moved: shifts.map(({ value, moved }) => `${value.toFixed(3)}: ${moved.join(', ')}`),
      weight: files.reduce((sum, { transferSize }) => sum + transferSize, 0),
      files: files.map(({ name, transferSize }) => `${new URL(name).pathname} ${transferSize}`),
    };
  });
}
