import { Type } from 'typebox';

/** What a person must have agreed to, and how long who did what is kept (docs/privacy.md). */
export const PRIVACY_SETTINGS = {
  CONSENT: Type.Union([Type.Literal('optional'), Type.Literal('required')], {
    default: 'optional',
    description:
      '`required`: no face is enrolled of anybody whose consent is not recorded, or is over (docs/privacy.md).',
  }),
  AUDIT_DAYS: Type.Number({
    default: 0,
    minimum: 0,
    maximum: 36_500,
    description:
      'Days after which a line of the audit log is erased, within a day; 0: never, rotate the file yourself.',
  }),
};
