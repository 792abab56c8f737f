import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Config } from '../../src/settings/config.js';
import { loadConfig } from '../../src/settings/config.js';
import type { Curve } from '../../src/models/types.js';
import { createDecision } from '../../src/identity/decision.js';
import { falsePositiveRate, rateAt } from '../../src/identity/odds.js';
import { MEASURED_CURVE, PLAIN_CURVE } from '../support/curve.js';

const THRESHOLDS = { identical: 0.49, sure: 0.35 };

/** A decision over a gallery that has as many faces as its counter says. */
function decisionOf(faces: number, settings: Partial<Config> = {}, curve: Curve = PLAIN_CURVE) {
  const counter = { faces, groups: {} as Record<string, number> };
  const decision = createDecision({
    pack: { id: 'tiny', thresholds: THRESHOLDS, curve },
    config: { ...loadConfig({}), ...settings },
    gallery: {
      searched: (groups) =>
        groups ? [...groups].reduce((sum, id) => sum + (counter.groups[id] ?? 0), 0) : counter.faces,
    },
  });
  return { counter, decision };
}

const near = (actual: number, expected: number, by = 1e-3) =>
  assert.ok(Math.abs(actual - expected) <= by, `${actual} is not ${expected}`);

describe('the decision of a pack with a curve', () => {
  it('names as many strangers as FALSE_NAMES allows, however many faces are searched', () => {
    for (const faces of [11, 116, 916, 10_000, 1_000_000]) {
      for (const FALSE_NAMES of [0.001, 0.01]) {
        const { decision } = decisionOf(faces, { FALSE_NAMES });
        const part = falsePositiveRate(rateAt(PLAIN_CURVE, decision.threshold()), faces);
        near(part / FALSE_NAMES, 1);
      }
    }
    // FMR 1e-4 is at 0.5 on this curve, and a decade is 0.1.
    near(decisionOf(100).decision.threshold(), 0.5);
    near(decisionOf(1000).decision.threshold(), 0.4);
  });

  it('has the thresholds that were measured with 116 and 916 faces', () => {
    near(decisionOf(116, {}, MEASURED_CURVE).decision.threshold(), 1.175, 2e-3);
    near(decisionOf(916, {}, MEASURED_CURVE).decision.threshold(), 1.058, 2e-3);
  });

  it('moves as faces come and go, both ways', () => {
    const { decision, counter } = decisionOf(100);
    const before = decision.threshold();
    counter.faces = 1000;
    assert.ok(decision.threshold() < before);
    counter.faces = 100;
    assert.equal(decision.threshold(), before);
  });

  it('is never looser than an FMR of 1 in 1,000, nor with nobody enrolled', () => {
    for (const faces of [0, 1, 10]) {
      const { decision } = decisionOf(faces);
      near(decision.threshold(), 0.6, 1e-9);
      near(decision.sure(), faces < 2 ? 0.5 : 0.4);
      assert.equal(decision.meaning().by, 'limit');
    }
    assert.equal(decisionOf(11).decision.meaning().by, 'faces');
    near(decisionOf(1, { FALSE_NAMES: 0.5 }).decision.threshold(), 0.6, 1e-9);
  });

  it('searches the groups asked for, and no more faces than are in them', () => {
    const { decision, counter } = decisionOf(1000);
    counter.groups = { staff: 100, guests: 0 };
    near(decision.threshold(new Set(['staff'])), 0.5);
    near(decision.threshold(new Set(['staff', 'guests', 'nobody'])), 0.5);
    near(decision.threshold(new Set()), 0.6);
    assert.equal(decision.meaning(new Set(['staff'])).faces, 100);
    assert.equal(decision.odds(0.5, new Set(['staff']))?.perMillion, 9950);
    assert.equal(decision.odds(0.5)?.perMillion, 95_200);
  });

  it('is sure of one in 10,000, and never of somebody who is not named', () => {
    const { decision } = decisionOf(100);
    near(decision.sure(), 0.3);
    assert.equal(decision.odds(decision.sure())?.perMillion, 100);
    const strict = decisionOf(100, { FALSE_NAMES: 1e-6 }).decision;
    assert.equal(strict.sure(), strict.threshold());
    assert.ok(strict.threshold() > 0 && strict.threshold() < 0.2);
  });

  it('takes FALSE_NAMES at its extremes', () => {
    const loose = decisionOf(100_000, { FALSE_NAMES: 0.5 }).decision;
    near(loose.threshold(), 0.384);
    assert.equal(loose.meaning().falseNames, 0.5);
    assert.match(loose.meaning().sentence, /at most 50 of 100 strangers are given a name/);
    const strict = decisionOf(100_000, { FALSE_NAMES: 1e-6 }).decision;
    assert.ok(strict.threshold() > 0, 'somebody can still be named');
    assert.equal(strict.meaning().beyondPairs, true);
  });

  it('goes on beyond what its pairs can tell, and says that they cannot', () => {
    const { decision } = decisionOf(100_000, {}, MEASURED_CURVE);
    const { identical, beyondPairs, falseNames, falseMatchRate, sentence } = decision.meaning();
    assert.ok(identical > 0.5 && identical < 0.864, String(identical));
    assert.equal(beyondPairs, true);
    assert.equal(falseMatchRate, 1.791e-6, 'what the pairs vouch for, not what was aimed at');
    assert.equal(falseNames, 0.1639);
    assert.match(sentence, /at most 17 of 100 strangers .* The 1,675,365 pairs .* cannot tell of fewer/);
    assert.deepEqual(decision.odds(0.5), { perMillion: 164_000, atMost: true });
  });

  it('says what the threshold in force means', () => {
    const { identical, sure, ...meaning } = decisionOf(128).decision.meaning();
    near(identical, 0.4895);
    near(sure, 0.2896, 2e-3);
    assert.deepEqual(meaning, {
      ...{ pair: 0.5, faces: 128, by: 'faces', falseNames: 0.01, falseMatchRate: 7.852e-5 },
      ...{ pairs: 1_000_000_000, beyondPairs: false },
      sentence: 'With 128 faces enrolled at most 1 of 100 strangers is given a name.',
    });
    assert.equal(
      decisionOf(1).decision.meaning().sentence,
      'With 1 face enrolled at most 1 of 1,000 strangers is given a name. No threshold is looser than an FMR of 1 in 1,000.',
    );
    assert.equal(decisionOf(0).decision.meaning().sentence, 'Nobody is enrolled, so nobody is named.');
  });

  it('compares two faces by themselves, whoever is enrolled', () => {
    for (const faces of [0, 7, 100_000]) {
      const { decision } = decisionOf(faces);
      near(decision.pair(), 0.5, 1e-9);
      assert.deepEqual(decision.pairRate(0.7), { rate: 0.01, atMost: false });
    }
    const told = decisionOf(1, {}, MEASURED_CURVE).decision.pairRate(0.2);
    assert.deepEqual(told, { rate: 3 / 1_675_365, atMost: true });
  });
});

describe('a threshold that is fixed', () => {
  it('by IDENTICAL_DISTANCE stays where it is, and its odds move', () => {
    const { decision, counter } = decisionOf(10, { IDENTICAL_DISTANCE: 0.55 });
    assert.equal(decision.threshold(), 0.55);
    assert.equal(decision.pair(), 0.55);
    const few = decision.odds(0.5)?.perMillion ?? NaN;
    counter.faces = 10_000;
    assert.equal(decision.threshold(), 0.55);
    assert.ok((decision.odds(0.5)?.perMillion ?? NaN) > 100 * few);
    const { by, falseNames, sentence } = decision.meaning();
    assert.equal(by, 'setting');
    near(falseNames ?? NaN, 0.958);
    assert.match(
      sentence,
      /^IDENTICAL_DISTANCE fixes the threshold\. With 10,000 faces .* 96 of 100 strangers/,
    );
    assert.ok(decision.sure() < 0.2, '"sure" follows the curve all the same');
    assert.equal(decisionOf(5, { IDENTICAL_DISTANCE: 0.05 }).decision.sure(), 0.05);
    assert.equal(decisionOf(5, { IDENTICAL_DISTANCE: 0 }).decision.threshold(), 0, 'which names nobody');
  });

  it('by a pack without a curve has no odds, and says so', () => {
    const config = loadConfig({});
    const gallery = { searched: () => 5000 };
    const pack = { id: 'facenet', thresholds: THRESHOLDS };
    const decision = createDecision({ pack, config, gallery });
    assert.deepEqual([decision.threshold(), decision.sure(), decision.pair()], [0.49, 0.35, 0.49]);
    assert.equal(decision.odds(0.1), undefined);
    assert.equal(decision.pairRate(0.1), undefined);
    assert.deepEqual(decision.meaning(), {
      ...{ identical: 0.49, sure: 0.35, pair: 0.49, faces: 5000, by: 'pack' },
      ...{ falseNames: null, falseMatchRate: null, pairs: null, beyondPairs: false },
      sentence: 'The pack fixes the threshold. How many strangers it names was not measured for facenet.',
    });
    const fixed = createDecision({ pack, config: { ...config, IDENTICAL_DISTANCE: 0.2 }, gallery });
    assert.deepEqual([fixed.threshold(), fixed.sure(), fixed.pair()], [0.2, 0.2, 0.2]);
    assert.equal(fixed.meaning().by, 'setting');
  });
});
