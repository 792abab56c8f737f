import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { ConsentSchema } from '../consent.js';
import type { Profile } from './store.js';

const ProfileSchema = Type.Object({
  username: Type.String(),
  metadata: Type.Record(
    Type.String(),
    Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
  ),
  consent: Type.Optional(ConsentSchema),
});

/** What belongs to the profile of somebody of whom more is known. */
export function profileOf({ username, metadata, consent }: Profile): Profile {
  return consent ? { username, metadata, consent } : { username, metadata };
}

/** Checks a name and metadata that were read from a store. */
export function isProfile(value: unknown): value is Profile {
  return Value.Check(ProfileSchema, value);
}

/** Whether a stored value is a squared L2 distance below which a face may be named. */
export const isThreshold = (value: unknown): value is number =>
  typeof value === 'number' && value > 0 && value <= 4;
