import { type Consent, consentState } from '../gallery/consent.js';
import { faceIdOf } from '../gallery/ids.js';
import type { Enrolment, Gallery } from '../gallery/types.js';
import { KaomonError } from '../platform/errors.js';

type WithConsent = Pick<Enrolment, 'groupid' | 'userid' | 'consent'>;

/**
 * Makes what refuses to enrol whoever has not consented.
 * @param isRequired the setting `CONSENT`
 * @returns throws KaomonError CONSENT_MISSING
 */
export function createConsentCheck(gallery: Pick<Gallery, 'person'>, isRequired: boolean) {
  return async ({ groupid, userid, consent: given }: WithConsent): Promise<void> => {
    if (!isRequired) return;
    const consent = given ?? (await gallery.person(faceIdOf(groupid, userid)))?.consent;
    refuseWithoutConsent(consentState(consent, Date.now()));
  };
}

/** Makes what refuses an archive with somebody who has not consented, there or here. */
export function requireConsentIn(gallery: Pick<Gallery, 'person'>) {
  return async ({ faceid, consent }: { faceid: string; consent?: Consent | undefined }): Promise<void> => {
    const there = (await gallery.person(faceid))?.consent;
    const states = [consent, there].map((one) => consentState(one, Date.now()));
    refuseWithoutConsent(states.find((state) => state === 'valid' || state === 'expiring') ?? states[0]);
  };
}

/** @throws KaomonError CONSENT_MISSING */
export function refuseWithoutConsent(state: ReturnType<typeof consentState>): void {
  if (state === 'valid' || state === 'expiring') return;
  throw new KaomonError(
    'CONSENT_MISSING',
    state === 'over'
      ? 'The consent of this person is over: record a new one first, at the person or with the enrolment.'
      : 'No consent of this person is recorded: record it first, at the person or with the enrolment.',
    { details: { consent: state } },
  );
}
