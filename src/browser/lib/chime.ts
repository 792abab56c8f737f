interface Tune {
  /** One after the other, hertz. */
  notes: readonly number[];
  /** From one note to the next, and how long each sounds, seconds. */
  step: number;
  length: number;
  /** 0 to 1. */
  loudness: number;
}

/** How long a sound may be late, milliseconds: one that came with the next touch would tell of nothing. */
const PATIENCE = 300;

/** A short sound. Browsers let a page sound only after somebody has pressed something; a device may have no sound at all. */
export function createChime({ notes, step, length, loudness }: Tune) {
  let audio: AudioContext | undefined;

  function open(): AudioContext | undefined {
    try {
      audio ??= new AudioContext();
      return audio;
    } catch {
      return undefined;
    }
  }

  function ring(to: AudioContext, hertz: number, start: number): void {
    const tone = new OscillatorNode(to, { frequency: hertz });
    const volume = new GainNode(to, { gain: 0 });
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(loudness, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + length);
    tone.connect(volume).connect(to.destination);
    tone.start(start);
    tone.stop(start + length);
  }

  // After a reload the browser waits for the first touch.
  document.addEventListener('pointerdown', () => void audio?.resume(), { passive: true });

  return {
    /** To be called while something is pressed, so that the page may sound from then on. */
    prepare(): void {
      void open()?.resume();
    },
    async play(): Promise<void> {
      const to = open();
      if (!to) return;
      if (to.state !== 'running') {
        const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
        await Promise.race([to.resume(), late]);
      }
      if (to.state === 'running') notes.forEach((hertz, i) => ring(to, hertz, to.currentTime + i * step));
    },
  };
}
