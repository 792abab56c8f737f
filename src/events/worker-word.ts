import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';

/** No worker's word holds for longer, milliseconds: one that does was written under another clock. */
const LONGEST_HOLD = 3_600_000;

const WordSchema = Type.Object({ position: Type.String(), expires: Type.Number() });

/** How far a worker has read, and until when that holds, milliseconds since 1970. */
export type WorkerWord = Static<typeof WordSchema>;

/** Reads what a worker has written down. @returns undefined when it is damaged, or of another clock */
export function parseWord(text: string, now: number): WorkerWord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(WordSchema, value) && value.expires <= now + LONGEST_HOLD ? value : undefined;
  } catch {
    return undefined;
  }
}
