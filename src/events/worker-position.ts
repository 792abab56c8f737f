import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';

/** No worker's position holds for longer, milliseconds: one that does was written under another clock. */
const LONGEST_HOLD = 3_600_000;

const PositionSchema = Type.Object({ position: Type.String(), expires: Type.Number() });

/** How far a worker has read, and until when that holds, milliseconds since 1970. */
export type WorkerPosition = Static<typeof PositionSchema>;

/** Reads what a worker has written down. @returns undefined when it is damaged, or of another clock */
export function parseWorkerPosition(text: string, now: number): WorkerPosition | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(PositionSchema, value) && value.expires <= now + LONGEST_HOLD ? value : undefined;
  } catch {
    return undefined;
  }
}
