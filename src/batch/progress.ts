import { SingleBar } from 'cli-progress';

/** Without a terminal a line is written every so many percent, and at the end. */
const STEP = 5;

export interface BatchProgress {
  /** Counts a picture. @param used whether it is enrolled, now or before */
  step(used: boolean): void;
  end(): void;
}

/** A bar with rate and time left on a terminal; plain lines elsewhere. */
export function createProgress(total: number, out: NodeJS.WriteStream): BatchProgress {
  const started = performance.now();
  let done = 0;
  let notUsed = 0;
  const rate = () => done / Math.max(0.001, (performance.now() - started) / 1000);
  const figures = () => ({
    rate: rate().toFixed(1),
    left: done === 0 ? '?' : duration((total - done) / rate()),
    notUsed,
  });
  const count = (used: boolean) => {
    done += 1;
    if (!used) notUsed += 1;
  };

  if (out.isTTY) {
    const format =
      '{bar} {percentage} %  {value}/{total}  {rate} pictures/s  {left} left  {notUsed} not used';
    const bar = new SingleBar({ stream: out, format, hideCursor: true, fps: 5 });
    bar.start(total, 0, figures());
    return {
      step(used) {
        count(used);
        bar.update(done, figures());
      },
      end: () => bar.stop(),
    };
  }

  let told = 0;
  const tell = () => {
    const { rate: speed, left } = figures();
    out.write(`${done} of ${total} pictures, ${speed}/s, ${left} left, ${notUsed} not used\n`);
  };
  return {
    step(used) {
      count(used);
      const percent = Math.floor((done / total) * 100);
      if (percent < told + STEP && done < total) return;
      told = percent - (percent % STEP);
      tell();
    },
    end: () => undefined,
  };
}

/** `1 h 05 min`, `3 min 20 s`, `12 s`. @param seconds 0 or more */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [h, min, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  if (h > 0) return `${h} h ${two(min)} min`;
  return min > 0 ? `${min} min ${two(s)} s` : `${s} s`;
}
