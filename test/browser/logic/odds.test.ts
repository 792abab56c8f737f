import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { certaintyOf, identityOf } from '../../../src/browser/logic/faces.js';
import { wordsOf } from '../../../src/browser/logic/texts.js';
import {
  roundDown,
  explainOdds,
  explainThreshold,
  formatCount,
  describeOdds,
  type ThresholdMeaning,
} from '../../../src/browser/logic/odds.js';

const [EN, JA] = [wordsOf('en'), wordsOf('ja')];
const exactly = (odds: number) => ({ odds, oddsAtMost: false });
const atMost = (odds: number) => ({ odds, oddsAtMost: true });

describe('odds in words', () => {
  it('are one in so many, two digits of it, in the numbers of the language', () => {
    for (const [odds, en, ja] of [
      [50, '1 in 20,000 strangers', '他人なら2万人に1人'],
      [100, '1 in 10,000 strangers', '他人なら1万人に1人'],
      [51.6, '1 in 19,000 strangers', '他人なら1.9万人に1人'],
      [2000, '1 in 500 strangers', '他人なら500人に1人'],
      [1.79, '1 in 550,000 strangers', '他人なら55万人に1人'],
      [0.00179, '1 in 550,000,000 strangers', '他人なら5.5億人に1人'],
      [500_000, '1 in 2 strangers', '他人なら2人に1人'],
      [90_000, '1 in 11 strangers', '他人なら11人に1人'],
    ] as const) {
      assert.equal(describeOdds(exactly(odds), EN, 'en'), en);
      assert.equal(describeOdds(exactly(odds), JA, 'ja'), ja);
    }
  });

  it('say where the pairs can tell no more', () => {
    assert.equal(describeOdds(atMost(229), EN, 'en'), 'fewer than 1 in 4,300 strangers');
    assert.equal(describeOdds(atMost(229), JA, 'ja'), '他人なら4300人に1人未満');
    assert.equal(
      explainOdds(atMost(229), EN, 'en'),
      'Fewer than 1 in 4,300 strangers look as much like somebody enrolled here.',
    );
    assert.equal(
      explainOdds(atMost(229), JA, 'ja'),
      '登録済みの誰かにこれほど似ている他人は、4300人に1人未満です。',
    );
    assert.equal(
      explainOdds(exactly(50), JA, 'ja'),
      '登録済みの誰かにこれほど似ている他人は、2万人に1人です。',
    );
  });

  it('say nothing where nothing is known, and no nonsense where everybody is as near', () => {
    assert.equal(describeOdds({ odds: null, oddsAtMost: false }, EN, 'en'), undefined);
    assert.equal(describeOdds(atMost(900_000), EN, 'en'), undefined, 'fewer than one in one');
    assert.equal(describeOdds(exactly(900_000), EN, 'en'), 'more than 1 in 2 strangers');
    assert.equal(describeOdds(exactly(1_000_000), JA, 'ja'), '他人なら2人に1人以上');
    assert.equal(describeOdds(exactly(0), EN, 'en'), undefined);
  });

  it('never promise more than they are', () => {
    for (let times = 2; times < 1e7; times = Math.ceil(times * 1.037)) {
      const said = roundDown(1e6 / (1e6 / times));
      assert.ok(said <= times && said >= times * 0.9 - 1, `${said} of ${times}`);
    }
    assert.deepEqual([0, 0.5, 1, 9, 99, 100, 101, 20_000].map(roundDown), [0, 0, 1, 9, 99, 100, 100, 20_000]);
    assert.equal(formatCount(1234, 'en'), '1,234');
  });
});

describe('who is sure', () => {
  const thresholds = { identical: 1.2, sure: 0.8 };
  const identity = identityOf({
    ...{ faceid: 'g-a', userid: 'a', username: 'A', groupid: 'g', groupname: 'G', distance: 0.9 },
  });
  const levelOf = (more: object) => certaintyOf({ ...identity, ...more }, thresholds).level;
  it('is whom at most one stranger in 10,000 resembles, by the odds of the answer', () => {
    assert.deepEqual([identity.odds, identity.oddsAtMost], [null, false], 'an older server tells none');
    assert.equal(levelOf(exactly(100)), 'sure');
    assert.equal(levelOf(exactly(101)), 'likely');
    assert.equal(levelOf({ ...exactly(101), distance: 0.7 }), 'likely', 'the thresholds may be old');
    assert.equal(levelOf(atMost(90)), 'sure');
  });
  it('is told by the distance where the odds cannot tell', () => {
    assert.equal(levelOf({}), 'likely');
    assert.equal(levelOf({ distance: 0.7 }), 'sure');
    assert.equal(levelOf({ ...atMost(229), distance: 0.7 }), 'sure');
    assert.equal(levelOf(atMost(229)), 'likely');
    assert.equal(levelOf({ faceid: '', ...exactly(1) }), 'unknown');
  });
});

describe('the threshold in words', () => {
  const meaning: ThresholdMeaning = {
    ...{ identical: 1.18, sure: 0.86, faces: 128, by: 'faces', falseNames: 0.01 },
    ...{ pairs: 1_675_365, beyondPairs: false },
  };
  const en = (change: Partial<ThresholdMeaning>) => explainThreshold({ ...meaning, ...change }, EN, 'en');
  const ja = (change: Partial<ThresholdMeaning>) => explainThreshold({ ...meaning, ...change }, JA, 'ja');
  it('says how many strangers are given a name', () => {
    assert.equal(en({}), 'Of 100 strangers at most 1 is given a name, with 128 faces enrolled.');
    assert.equal(ja({}), '他人 100 人のうち、名前が付くのは多くても 1 人です（登録された顔 128 件）。');
    assert.equal(
      en({ faces: 1, by: 'limit', falseNames: 0.001 }),
      'Of 1,000 strangers at most 1 is given a name, with 1 face enrolled. The threshold gets no looser, however few faces are enrolled.',
    );
    assert.match(en({ faces: 12_000, falseNames: 0.164 }), /^Of 100 strangers at most 17 are .*12,000 faces/);
    assert.match(ja({ faces: 12_000, falseNames: 0.001 }), /他人 1000 人.*登録された顔 1.2万 件/);
  });
  it('says what fixes it, what cannot be told and what was not measured', () => {
    assert.match(en({ by: 'setting' }), /^IDENTICAL_DISTANCE fixes the threshold\. Of 100/);
    assert.match(
      en({ beyondPairs: true }),
      /The 1,675,365 pairs that were measured are too few to prove a lower number\.$/,
    );
    assert.match(ja({ beyondPairs: true }), /測定に使った 167\.5万 組/);
    assert.equal(en({ faces: 0 }), 'Nobody is enrolled, so nobody is given a name.');
    assert.match(en({ falseNames: null, pairs: null, by: 'pack' }), /was not measured for this model/);
    assert.match(
      ja({ falseNames: null, pairs: null, by: 'setting' }),
      /IDENTICAL_DISTANCE.*測定されていません/,
    );
  });
});
