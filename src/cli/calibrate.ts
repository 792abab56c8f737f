import { main as accuracy } from './accuracy.js';
import { note } from './shared/parts.js';

/** `kaomon calibrate`: what `kaomon accuracy --quick` is now. @returns the exit status */
export function main(words: string[]): Promise<number> {
  note('kaomon calibrate is kaomon accuracy now, which tells more; this is its --quick.');
  return accuracy([...words, '--quick']);
}
