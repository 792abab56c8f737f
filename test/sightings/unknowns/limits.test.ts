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
      const { single, many } = joinLimits(pack);
      assert.ok(single > 0);
      assert.ok(single <= many && many < decision.threshold(), `${single} to ${many}`);
      assert.ok(many < decision.pair());
    });
});
