import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';

/** No worker's position is valid for longer, milliseconds: if it claims to be, its clock was wrong. */
const LONGEST_HOLD = 3_600_000;

const PositionSchema = Type.Object({ position: Type.String(), expires: Type.Number() });

/** How far a worker has read, and until when that is valid, milliseconds since 1970. */
export type WorkerPosition = Static<typeof PositionSchema>;

/** Reads what a worker has recorded. @returns undefined when it is damaged, or its clock was wrong */
export function parseWorkerPosition(text: string, now: number): WorkerPosition | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(PositionSchema, value) && value.expires <= now + LONGEST_HOLD ? value : undefined;
  } catch {
    return undefined;
  }
}
