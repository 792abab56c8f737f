import type { Base } from '../../src/gallery/base/base.js';
import { createCore } from '../../src/gallery/core.js';
import { createCurrentIndex } from '../../src/gallery/index/current-index.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import type { VectorIndex } from '../../src/gallery/index/vector-index.js';
import { createPersonOperations } from '../../src/gallery/person-operations.js';
import { createRebase } from '../../src/gallery/rebase.js';
import type { MakeBase } from './made-bases.js';
import { createMemoryStore } from './memory-store.js';

/** Numbers in a vector. */
export const LENGTH = 8;
export const GROUPS = ['a', 'a.b', 'b'];

/** A gallery without its server, whose searches wait at a gate on their way. */
export function openOverBase(make: MakeBase, { templates = true, slice = 0 } = {}) {
  const store = createMemoryStore(GROUPS.map((groupid) => ({ groupid, groupname: groupid })));
  /** Awaited by the searches that begin now, between their beginning and their answer. */
  const gate = { now: Promise.resolve() };
  const exact = createExactIndex(LENGTH);
  const gated: VectorIndex = {
    ...exact,
    get size() {
      return exact.size;
    },
    async search(query, k) {
      const { now } = gate;
      const searching = exact.search(query, k);
      await now;
      return searching;
    },
  };
  const index = createCurrentIndex(gated);
  const core = createCore({ pack: 'tiny', store, index, templates });
  let number = 1;
  return {
    store,
    gate,
    index: exact,
    core,
    memory: core.memory,
    people: createPersonOperations(core),
    // Others have a turn after each person.
    ...createRebase(core, index, slice),

    /** What a snapshot would hold if it were made now. */
    async snapshot(): Promise<Base> {
      number += 1;
      const { people, groups } = await store.load();
      return make(people, { number, groups, pause: () => gate.now });
    },

    /** Holds the searches that begin from now on. @returns lets them go */
    hold(): () => void {
      let open: () => void = () => undefined;
      gate.now = new Promise((resolve) => (open = resolve));
      return () => {
        gate.now = Promise.resolve();
        open();
      };
    },
  };
}
