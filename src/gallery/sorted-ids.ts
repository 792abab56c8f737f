/** The most ids in a block. An insertion moves half a block, and looks for it among all blocks. */
const BLOCK = 512;

/** See {@link createSortedIds}. */
export type SortedIds = ReturnType<typeof createSortedIds>;

/**
 * A set of ids kept sorted (code units), in blocks: an addition or a removal costs about a microsecond at any size, so that
 * a list which changes all the time is never sorted as a whole.
 */
export function createSortedIds() {
  /** None is empty. */
  const blocks: string[][] = [];
  let size = 0;

  /** The last block that does not begin above this id; 0 when there is none. */
  function blockOf(id: string): number {
    let [low, high] = [0, blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (blocks[middle][0] <= id) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  return {
    get size() {
      return size;
    },

    /** Does nothing when it is there. */
    add(id: string): void {
      const at = blockOf(id);
      const block = blocks.at(at);
      if (!block) {
        blocks.push([id]);
        size = 1;
        return;
      }
      const place = firstFrom(block, id);
      if (block[place] === id) return;
      block.splice(place, 0, id);
      size += 1;
      if (block.length <= BLOCK) return;
      // What arrives in order fills its blocks.
      const isLast = at === blocks.length - 1 && place === block.length - 1;
      blocks.splice(at + 1, 0, block.splice(isLast ? BLOCK : BLOCK / 2));
    },

    delete(id: string): void {
      const at = blockOf(id);
      const block = blocks.at(at);
      if (!block) return;
      const place = firstFrom(block, id);
      if (block[place] !== id) return;
      block.splice(place, 1);
      size -= 1;
      if (block.length === 0) blocks.splice(at, 1);
    },

    /** The first id that is not below this one. */
    from(id: string): string | undefined {
      const at = blockOf(id);
      const block = blocks.at(at);
      return block && (block.at(firstFrom(block, id)) ?? blocks.at(at + 1)?.[0]);
    },

    /** The first id above this one. */
    after(id: string): string | undefined {
      // No string is between an id and the same with a zero behind it.
      return this.from(`${id}\0`);
    },
  };
}

/** The place of the first id that is not below this one. */
function firstFrom(block: readonly string[], id: string): number {
  let [low, high] = [0, block.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (block[middle] < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
