import { type Static, Type } from 'typebox';
import {
  type Consent,
  CONSENT_WAYS,
  consentState,
  DAY_PATTERN,
  EXPIRING_DAYS,
  isDay,
} from '../../gallery/consent.js';
import { checkName } from '../../gallery/names.js';
import { KaomonError } from '../../platform/errors.js';

const DAY = 86_400_000;

const fields = {
  given: Type.String({
    pattern: DAY_PATTERN,
    description: 'The day on which it was given: `YYYY-MM-DD`.',
    examples: ['2024-05-02'],
  }),
  how: Type.Enum([...CONSENT_WAYS], {
    description: '`form`: signed on paper. `electronic`, `verbal`, `other`.',
  }),
  note: Type.Optional(
    Type.String({ maxLength: 500, description: 'Where the form is, who was there, what was agreed.' }),
  ),
  until: Type.Optional(
    Type.String({
      pattern: DAY_PATTERN,
      description:
        'The last day on which it holds, in UTC: then the person is deleted. Left out: until somebody deletes the person.',
      examples: ['2034-05-01'],
    }),
  ),
};

/** What a caller says of a person's consent. */
export const NewConsentSchema = Type.Object(fields, {
  additionalProperties: false,
  description: 'That the person agrees to be enrolled.',
});

/** As an answer gives it. */
export const ConsentSchema = Type.Object({
  ...fields,
  by: Type.String({ description: 'The name of the key that recorded it.' }),
  state: Type.Enum(['valid', 'expiring', 'over'], {
    description: `\`expiring\`: it ends within ${EXPIRING_DAYS} days. \`over\`: the person is about to be deleted.`,
  }),
});

export const CONSENT_EXAMPLE = {
  given: '2024-05-02',
  how: 'form' as const,
  note: 'Folder 12',
  until: '2034-05-01',
};

/** The same in a query, where a form with pictures has no room for it. */
export const ConsentQuery = {
  consentGiven: Type.Optional({ ...fields.given, description: 'Records a consent: the day it was given.' }),
  consentHow: Type.Optional({ ...fields.how, description: 'With `consentGiven`.', examples: ['form'] }),
  consentNote: Type.Optional(Type.String({ maxLength: 500, description: 'With `consentGiven`.' })),
  consentUntil: Type.Optional({ ...fields.until, description: 'With `consentGiven`: the last day.' }),
};

/**
 * A consent to be stored.
 * @param by who records it
 * @throws KaomonError FIELD_INVALID
 */
export function takeConsent(
  { given, how, note = '', until }: Static<typeof NewConsentSchema>,
  by: string,
  now = Date.now(),
): Consent {
  const refuse = (field: string, sentence: string): never => {
    throw new KaomonError('FIELD_INVALID', sentence, { details: { field: `consent.${field}` } });
  };
  if (!isDay(given)) refuse('given', 'The day on which consent was given does not exist.');
  // Tomorrow has begun somewhere.
  if (Date.parse(given) > now + DAY) refuse('given', 'Consent cannot have been given in the future.');
  if (until !== undefined && !isDay(until)) refuse('until', 'The last day of the consent does not exist.');
  const kept = checkName(note.trim(), 'consent.note');
  const consent: Consent = {
    ...{ given, how, by: by.slice(0, 100) },
    ...(kept !== '' && { note: kept }),
    ...(until !== undefined && { until }),
  };
  if (consentState(consent, now) === 'over')
    refuse('until', 'The last day of the consent has passed: the person would be deleted at once.');
  return consent;
}

/** @returns undefined where the query records none @throws KaomonError FIELD_INVALID, FIELD_MISSING */
export function consentOfQuery(
  query: {
    consentGiven?: string | undefined;
    consentHow?: Consent['how'] | undefined;
    consentNote?: string | undefined;
    consentUntil?: string | undefined;
  },
  by: string,
): Consent | undefined {
  const { consentGiven: given, consentHow: how, consentNote: note, consentUntil: until } = query;
  if ([given, how, note, until].every((value) => value === undefined)) return undefined;
  if (given === undefined || how === undefined)
    throw new KaomonError('FIELD_MISSING', 'A consent needs "consentGiven" and "consentHow".', {
      details: { field: given === undefined ? 'consentGiven' : 'consentHow' },
    });
  const more = { ...(note !== undefined && { note }), ...(until !== undefined && { until }) };
  return takeConsent({ given, how, ...more }, by);
}

export function toConsent(
  consent: Consent | undefined,
  now = Date.now(),
): Static<typeof ConsentSchema> | null {
  if (!consent) return null;
  const state = consentState(consent, now);
  return { ...consent, state: state === 'none' ? 'valid' : state };
}
