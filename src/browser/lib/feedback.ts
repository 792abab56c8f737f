import { recall, remember } from './dom.js';

/** Two notes a fifth apart, hertz: heard as "done", not as a warning. */
const NOTES = [659, 988];
const NOTE = 0.09;
/** Of full volume: soft. */
const VOLUME = 0.06;

/**
 * The sound and the vibration that tell a person who looks at the camera, and not at the page, that a picture was taken.
 * @param choice switches the sound off and on; this browser remembers it
 */
export function createFeedback(choice: HTMLInputElement) {
  let audio: AudioContext | undefined;
  choice.checked = recall('sound') !== 'off';
  choice.addEventListener('change', () => {
    remember('sound', choice.checked ? 'on' : 'off');
    if (choice.checked) play();
  });

  function open(): AudioContext | undefined {
    try {
      audio ??= new AudioContext();
      if (audio.state === 'suspended') void audio.resume();
    } catch {
      // A device without sound.
    }
    return audio;
  }

  function play(): void {
    const to = open();
    if (!to || to.state === 'closed') return;
    NOTES.forEach((frequency, i) => {
      const at = to.currentTime + i * NOTE;
      const volume = new GainNode(to, { gain: 0 });
      volume.gain.setTargetAtTime(VOLUME, at, 0.008);
      volume.gain.setTargetAtTime(0, at + NOTE, 0.05);
      const note = new OscillatorNode(to, { type: 'sine', frequency });
      note.connect(volume).connect(to.destination);
      note.start(at);
      note.stop(at + NOTE + 0.4);
    });
  }

  return {
    /** Browsers let a page sound only after a press: to be called in one. */
    prepare(): void {
      if (choice.checked) open();
    },
    pictureTaken(): void {
      if (choice.checked) play();
      // Safari has none.
      if ('vibrate' in navigator) navigator.vibrate(30);
    },
  };
}
