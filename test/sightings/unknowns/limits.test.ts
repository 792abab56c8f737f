import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createDecision } from '../../../src/identity/decision.js';
import { PACKS } from '../../../src/models/packs/packs.js';
import { loadConfig } from '../../../src/settings/config.js';
import { joinLimits } from '../../../src/sightings/unknowns/limits.js';

describe('how near strangers must be to be one', () => {
  for (const pack of PACKS)
    it(`is stricter than a name with ${pack.id}`, () => {
      const decision = createDecision({
        pack,
        config: loadConfig({}),
        gallery: { searched: () => 100 },
      });
      const { single, many } = joinLimits(pack, 1);
      assert.ok(single > 0);
      assert.ok(single < decision.threshold() && single < decision.pair(), `${single}`);
      // The loosest at which anybody is named.
      assert.ok(single <= many && many < decision.apart(), `${single} to ${many}`);
    });

  it('is nearer the more there are, where the pack was measured', () => {
    const [measured, fixed] = [PACKS.find(({ curve }) => curve), PACKS.find(({ curve }) => !curve)];
    assert.ok(measured && fixed);
    const singleOf = (pack: typeof measured) =>
      [0, 1, 100, 1000, 10_000].map((groups) => joinLimits(pack, groups).single);
    const [none, one, hundred, thousand, most] = singleOf(measured);
    assert.ok(none === one && one === hundred && hundred > thousand && thousand > most && most > 0);
    assert.equal(new Set(singleOf(fixed)).size, 1);
  });
});
