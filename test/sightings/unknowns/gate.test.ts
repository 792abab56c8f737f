import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkFace } from '../../../src/identity/fit-to-enrol.js';
import { enrolLimits, loadConfig } from '../../../src/settings/config.js';
import { isFit } from '../../../src/sightings/unknowns/gate.js';
import type { Quality } from '../../../src/vision/types.js';

const LIMITS = enrolLimits(loadConfig({}));
const GOOD: Quality = { size: 120, sharpness: 200, brightness: 120, yaw: 5, pitch: -5, roll: 1 };

describe('which faces of strangers are grouped', () => {
  const refused: Partial<Quality>[] = [
    { size: 39 },
    { sharpness: 5 },
    { yaw: -66 },
    { yaw: 66 },
    { pitch: 46 },
    { roll: -41 },
  ];
  for (const worse of refused)
    it(`not one with ${JSON.stringify(worse)}, which nobody could enrol either`, () => {
      const quality = { ...GOOD, ...worse };
      assert.equal(isFit({ quality }, LIMITS), false);
      const { size } = quality;
      assert.throws(() => checkFace({ box: { x1: 0, y1: 0, x2: size, y2: size + 9 }, quality }, LIMITS));
    });

  it('one that could be enrolled, with landmarks or without', () => {
    assert.equal(isFit({ quality: GOOD }, LIMITS), true);
    const { size, sharpness, brightness } = GOOD;
    assert.equal(isFit({ quality: { size, sharpness, brightness } }, LIMITS), true);
  });

  it('none that is unfit to be identified, or was not measured', () => {
    assert.equal(isFit({ quality: GOOD, unfit: 'too_blurred' }, LIMITS), false);
    assert.equal(isFit({}, LIMITS), false);
  });
});
