import { main as accuracy } from './accuracy.js';
import { note } from './shared/parts.js';

/** `kaomon calibrate`: the old name of `kaomon accuracy --quick`. @returns the exit status */
export function main(words: string[]): Promise<number> {
  note('kaomon calibrate is kaomon accuracy now; this runs kaomon accuracy --quick.');
  return accuracy([...words, '--quick']);
}
