import type { Page } from 'playwright-core';

/** A rectangle that the page has drawn, CSS pixels of the stage. */
export type Rectangle = [x: number, y: number, width: number, height: number];

export interface Drawing {
  /** The boxes around faces. */
  faces: Rectangle[];
  labels: Rectangle[];
  /** Whether a box was filled: somebody points at it. */
  pointed: boolean;
}

/** Notes what is drawn: the last whole drawing of the overlay, and the first box on a canvas that is not on the page. */
export function watchDrawings(page: Page): Promise<unknown> {
  return page.addInitScript(() => {
    const watched = window as unknown as { drawn: Drawing; saved: Rectangle | undefined };
    watched.drawn = { faces: [], labels: [], pointed: false };
    let last: Rectangle = [0, 0, 0, 0];
    const brush = CanvasRenderingContext2D.prototype as unknown as Record<
      'roundRect' | 'clearRect' | 'stroke' | 'fill',
      (this: CanvasRenderingContext2D, ...args: unknown[]) => void
    >;
    const { roundRect, clearRect, stroke, fill } = brush;
    brush.clearRect = function (...args) {
      // Whoever asks sees it whole: a drawing is not interrupted.
      watched.drawn = { faces: [], labels: [], pointed: false };
      clearRect.apply(this, args);
    };
    brush.roundRect = function (...args) {
      last = args.slice(0, 4) as Rectangle;
      roundRect.apply(this, args);
    };
    brush.stroke = function (...args) {
      const scale = this.getTransform().a;
      if (!this.canvas.isConnected) watched.saved ??= last.map((value) => value * scale) as Rectangle;
      else if (typeof this.strokeStyle === 'string' && this.strokeStyle.startsWith('#'))
        watched.drawn.faces.push(last);
      stroke.apply(this, args);
    };
    brush.fill = function (...args) {
      if (this.canvas.isConnected && this.fillStyle === 'rgba(12, 15, 22, 0.86)')
        watched.drawn.labels.push(last);
      if (this.fillStyle === 'rgba(255, 255, 255, 0.14)') watched.drawn.pointed = true;
      fill.apply(this, args);
    };
  });
}

/** Counts the answers on the WebSocket, in the page: `window.answers`. */
export function countAnswers(page: Page): Promise<unknown> {
  return page.addInitScript(() => {
    const counted = window as unknown as { answers: number };
    counted.answers = 0;
    const Socket = window.WebSocket;
    window.WebSocket = class extends Socket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        this.addEventListener('message', ({ data }) => {
          if (String(data).startsWith('{"type":"frame"')) counted.answers += 1;
        });
      }
    };
  });
}

/** The last whole drawing. */
export const drawing = (page: Page): Promise<Drawing> =>
  page.evaluate(() => (window as unknown as { drawn: Drawing }).drawn);

/** The first box that was drawn into a saved picture, pixels of that picture. */
export const savedBox = (page: Page): Promise<Rectangle | undefined> =>
  page.evaluate(() => (window as unknown as { saved?: Rectangle }).saved);

/** Pairs of rectangles that overlap by more than the roundings. */
export function overlaps(these: readonly Rectangle[], those: readonly Rectangle[]): string[] {
  const found: string[] = [];
  for (const [i, a] of these.entries()) {
    for (const [k, b] of those.entries()) {
      if (these === those && k <= i) continue;
      const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
      const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
      if (width > 0.5 && height > 0.5) found.push(`${a.join()} and ${b.join()}`);
    }
  }
  return found;
}
