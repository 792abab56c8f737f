/** A person's consent to be enrolled: what is recorded of it, and when it is over (docs/privacy.md). */
import { type Static, Type } from 'typebox';

const DAY = 86_400_000;
/** So many days before it ends a consent is listed as expiring. */
export const EXPIRING_DAYS = 30;

/** How consent was given. */
export const CONSENT_WAYS = ['form', 'electronic', 'verbal', 'other'] as const;

/** A day, as ISO 8601 writes it; whether it exists is for {@link isDay}. */
export const DAY_PATTERN = /^\d{4}-\d{2}-\d{2}$/.source;
const DaySchema = Type.String({ pattern: DAY_PATTERN });

/** As it is stored. */
export const ConsentSchema = Type.Object({
  /** The day on which it was given. */
  given: DaySchema,
  how: Type.Enum([...CONSENT_WAYS]),
  /** Where the form is, who was there, ... */
  note: Type.Optional(Type.String({ maxLength: 500 })),
  /** The last day on which it holds, in UTC; left out: until it is withdrawn. */
  until: Type.Optional(DaySchema),
  /** The name of the key that recorded it. */
  by: Type.String({ maxLength: 100 }),
});
export type Consent = Static<typeof ConsentSchema>;

/** `expiring`: it holds, for {@link EXPIRING_DAYS} days at most. `over`: its last day has passed. */
export type ConsentState = 'none' | 'valid' | 'expiring' | 'over';

/** Whether a text that looks like a day is one. */
export function isDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return Number.isFinite(time) && new Date(time).toISOString().startsWith(text);
}

/** When a consent ends, milliseconds since 1970: the end of its last day. Undefined: it does not end by itself. */
export function endOfConsent({ until }: Pick<Consent, 'until'>): number | undefined {
  return until === undefined ? undefined : Date.parse(`${until}T00:00:00Z`) + DAY;
}

/** @param now milliseconds since 1970 */
export function consentState(consent: Consent | undefined, now: number): ConsentState {
  if (!consent) return 'none';
  const end = endOfConsent(consent) ?? Infinity;
  if (!(end > now)) return 'over';
  return end - now <= EXPIRING_DAYS * DAY ? 'expiring' : 'valid';
}
