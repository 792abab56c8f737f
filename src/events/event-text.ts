import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { GalleryEvent } from './event.js';

const CHANGES = [
  ...['created', 'enrolled', 'updated', 'moved', 'merged', 'removed', 'face-removed'],
  ...['group-created', 'group-updated', 'group-removed', 'corrected', 'correction-removed'],
  'threshold-changed',
];
const EventSchema = Type.Object({
  kind: Type.Enum(['begun', 'given-up', ...CHANGES]),
  uid: Type.String(),
  worker: Type.String(),
  pack: Type.String(),
  at: Type.String(),
  groupid: Type.String(),
  faceid: Type.Optional(Type.String()),
  from: Type.Optional(Type.String()),
  face: Type.Optional(Type.String()),
  of: Type.Optional(Type.String()),
  will: Type.Optional(Type.Enum(CHANGES)),
});

/**
 * Whether a text is neither an event of any version nor the beginning of one. A crash leaves the beginning of an event
 * whose writer was never told that it succeeded. Anything else means that an event was lost.
 */
export function isCorrupt(text: string): boolean {
  try {
    JSON.parse(text);
    return false;
  } catch {
    // A power cut leaves zeros for bytes that were not on the disk yet.
    const isEmpty = text.replaceAll('\0', '') === '';
    return !isEmpty && (!text.startsWith('{') || text.endsWith('}'));
  }
}

/** The event of a line; undefined when the line is empty, torn or of another version. */
export function decodeEvent(text: string): GalleryEvent | undefined {
  // Every other line of the file log is empty.
  if (text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return Value.Check(EventSchema, value) ? (value as GalleryEvent) : undefined;
}
