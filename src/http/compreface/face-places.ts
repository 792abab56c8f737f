import { createKeyedMutex } from '../../platform/keyed-mutex.js';
import type { Gallery, Person } from '../../gallery/types.js';

/** People whose faces are counted together. */
const BLOCK = 1000;

/** Some people in a row. */
interface Block {
  /** The last of them. */
  last: string;
  faces: number;
  /** Somebody of them has changed since they were counted. */
  isOld: boolean;
}

/** See {@link createFacePlaces}. */
export type FacePlaces = ReturnType<typeof createFacePlaces>;

/**
 * Where a group's n-th face is, for a list that is paged by numbers: how many faces each thousand people have, counted as
 * the list is first walked, and again only where somebody has changed.
 */
export function createFacePlaces(gallery: Pick<Gallery, 'everyone'>, groupid: string) {
  const groups = new Set([groupid]);
  /** Those that were walked so far, from the first person on. */
  const blocks: Block[] = [];
  const mutex = createKeyedMutex();
  let changes = 0;

  /** The first block that may hold somebody. */
  function blockOf(faceid: string): number {
    let [low, high] = [0, blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (blocks[middle].last < faceid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Counts the people behind `after`, up to `until`, anew. */
  async function countBlocks(
    after: string | undefined,
    until: string,
    signal: AbortSignal | undefined,
  ): Promise<Block[]> {
    const counted: Block[] = [];
    let block: Block & { people: number } = { last: '', faces: 0, people: 0, isOld: false };
    const before = changes;
    const end = (last: string) => {
      counted.push({ last, faces: block.faces, isOld: changes !== before });
      block = { last: '', faces: 0, people: 0, isOld: false };
    };
    for await (const { faceid, faces } of gallery.everyone({ groups, after, signal })) {
      if (faceid > until) break;
      block.last = faceid;
      block.faces += faces.length;
      block.people += 1;
      if (block.people === BLOCK && faceid < until) end(faceid);
    }
    end(until);
    return counted;
  }

  async function page(
    offset: number,
    limit: number,
    signal: AbortSignal | undefined,
  ): Promise<{ person: Person; at: number }[]> {
    let passed = 0;
    let after: string | undefined;
    for (let i = 0; i < blocks.length; i++) {
      if (blocks[i].isOld) blocks.splice(i, 1, ...(await countBlocks(after, blocks[i].last, signal)));
      if (passed + blocks[i].faces > offset) break;
      passed += blocks[i].faces;
      after = blocks[i].last;
    }
    const found: { person: Person; at: number }[] = [];
    let block = { faces: 0, people: 0, changes };
    const isNew = blocks.length === 0 || after === blocks.at(-1)?.last;
    for await (const person of gallery.everyone({ groups, after, signal })) {
      const count = person.faces.length;
      for (let at = Math.max(0, offset - passed); at < count && found.length < limit; at++)
        found.push({ person, at });
      passed += count;
      block.faces += count;
      block.people += 1;
      if (isNew && block.people === BLOCK) {
        blocks.push({ last: person.faceid, faces: block.faces, isOld: changes !== block.changes });
        block = { faces: 0, people: 0, changes };
      }
      if (found.length >= limit) break;
    }
    return found;
  }

  return {
    /** Somebody of the group has changed, has come or has gone. */
    touch(faceid: string): void {
      changes += 1;
      const block = blocks.at(blockOf(faceid));
      if (block && faceid <= block.last) block.isOld = true;
    },

    touchAll(): void {
      changes += 1;
      for (const block of blocks) block.isOld = true;
    },

    /**
     * The group's faces from the `offset`-th on, by person.
     * @returns `at`: which of the person's faces
     * @throws KaomonError CLIENT_GONE
     */
    page: (offset: number, limit: number, signal?: AbortSignal): Promise<{ person: Person; at: number }[]> =>
      mutex.run(groupid, () => page(offset, limit, signal)),
  };
}
