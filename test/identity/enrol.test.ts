import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KaomonError } from '../../src/platform/errors.js';
import { createEnrolments, createSearches, UNLIMITED } from '../../src/identity/counted-work.js';
import { createEnroller } from '../../src/identity/enrol.js';
import { face, scriptedVision } from '../support/app.js';
import { LIMITS } from '../support/batch.js';
import { openTiny, TINY } from '../support/galleries.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

describe('enrolments of one face for several people', () => {
  for (const needsConsent of [false, true])
    it(
      `that come in the same moment end, one as enrolled${needsConsent ? ', where consent is asked for' : ''}`,
      { timeout: 60_000 },
      async (t) => {
        const gallery = await openTiny(await temporaryFolder(t));
        t.after(() => gallery.close());
        const consent = { given: '2026-01-01', how: 'form', by: 'admin' } as const;
        const enroller = createEnroller({
          ...{ searches: createSearches(UNLIMITED), enrolments: createEnrolments(UNLIMITED), gallery },
          ...{ nearest: (...asked) => gallery.nearest(...asked), limits: LIMITS },
          ...{ decision: { threshold: () => 0.5, apart: () => 0.5 }, vision: scriptedVision(1e6) },
          ...{ doubleSeconds: 0, keepFaces: false, needsConsent },
        });
        const embedding = randomUnitVector(seededRandom(1), TINY);
        const enrol = (userid: string) =>
          enroller.enrolFace({ groupid: 'default', userid, consent }, { ...face(), embedding });
        // In one turn of the event loop, as the pictures of a batch come from a GPU.
        const all = await Promise.allSettled(['ann', 'ben', 'cleo'].map(enrol));
        const outcomes = all.map((one) => (one.status === 'fulfilled' ? 'enrolled' : codeOf(one.reason)));
        assert.deepEqual(outcomes, ['enrolled', 'OTHER_PERSON', 'OTHER_PERSON']);
        // Nobody is left in the way of those who come after.
        await assert.rejects(enrol('dora'), { code: 'OTHER_PERSON' });
      },
    );
});

const codeOf = (error: unknown) => (error instanceof KaomonError ? error.code : String(error));
