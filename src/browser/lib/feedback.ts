import { createChime } from './chime.js';
import { recall, remember } from './dom.js';

/** Two notes a fifth apart: heard as "done", not as a warning. Soft. */
const DONE = { notes: [659, 988], step: 0.09, length: 0.4, loudness: 0.06 };

/**
 * The sound and the vibration that tell a person who looks at the camera, and not at the page, that a picture was taken.
 * @param choice switches the sound off and on; this browser remembers it
 */
export function createFeedback(choice: HTMLInputElement) {
  const chime = createChime(DONE);
  choice.checked = recall('sound') !== 'off';
  choice.addEventListener('change', () => {
    remember('sound', choice.checked ? 'on' : 'off');
    if (choice.checked) void chime.play();
  });

  return {
    /** Browsers let a page sound only after a press: to be called in one. */
    prepare(): void {
      if (choice.checked) chime.prepare();
    },
    pictureTaken(): void {
      if (choice.checked) void chime.play();
      // Safari has none.
      if ('vibrate' in navigator) navigator.vibrate(30);
    },
  };
}
