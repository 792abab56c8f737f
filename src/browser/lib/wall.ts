import { createWakeLock } from './wake-lock.js';

/** The controls hide after this long without pointer, key or touch, milliseconds. */
const HIDE_AFTER = 4000;

/**
 * The wall display: the picture from edge to edge, nothing else, and the screen stays on. Where the browser allows it, the
 * page fills the screen; elsewhere (iPhones) it fills the window.
 * @param onChange called after it was entered or left, however that came about
 */
export function createWall(onChange: (on: boolean) => void) {
  const { body, documentElement: page } = document;
  const wakeLock = createWakeLock();
  let on = false;
  let timer: number | undefined;

  /** Shows the controls, and hides them again later. */
  function wake(): void {
    window.clearTimeout(timer);
    body.classList.remove('idle');
    if (on) timer = window.setTimeout(() => body.classList.add('idle'), HIDE_AFTER);
  }

  function set(next: boolean): void {
    if (next === on) return;
    on = next;
    body.classList.toggle('wall', on);
    if (on) wakeLock.hold();
    else wakeLock.release();
    wake();
    onChange(on);
  }

  for (const kind of ['pointermove', 'pointerdown', 'keydown', 'focusin'] as const) {
    document.addEventListener(kind, wake, { capture: true, passive: true });
  }
  document.addEventListener('fullscreenchange', () => {
    if (!document.fullscreenElement) set(false);
  });
  document.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape' && on && !document.querySelector('dialog[open]')) leave();
  });

  function leave(): void {
    set(false);
    if (document.fullscreenElement) void document.exitFullscreen();
  }

  return {
    enter(): void {
      set(true);
      // Refused without a click: the page then fills the window.
      if (document.fullscreenEnabled) page.requestFullscreen().catch(() => undefined);
    },
    leave,
    get on(): boolean {
      return on;
    },
  };
}
