import type { Person } from './types.js';

/** The most faceids whose moves are remembered: their holders, such as tracks, last seconds or minutes. */
const REMEMBERED = 16_384;

interface Move {
  /** Counts all moves. */
  number: number;
  to: string;
}

/** See {@link createMoves}. */
export type Moves = ReturnType<typeof createMoves>;

/**
 * Who has become whom, for holders of a person from before a move or a merge. A faceid may be given to somebody else
 * afterwards, so it counts when the holder's object was made.
 */
export function createMoves() {
  /** After which move each object was made. */
  const made = new WeakMap<Person, number>();
  /** By the faceid they led away from, the latest moved one at the end; ascending. */
  const moves = new Map<string, Move[]>();
  let last = 0;

  return {
    /** Notes that an object is made now. */
    made: (person: Person): Person => {
      made.set(person, last);
      return person;
    },

    note(from: string, to: string): void {
      last += 1;
      const before = moves.get(from) ?? [];
      moves.delete(from);
      moves.set(from, [...before, { number: last, to }]);
      if (moves.size <= REMEMBERED) return;
      const [oldest] = moves.keys();
      moves.delete(oldest);
    },

    /** The faceid that a person has now. */
    follow(person: Person): string {
      let { faceid } = person;
      let since = made.get(person) ?? last;
      for (;;) {
        const move = moves.get(faceid)?.find(({ number }) => number > since);
        if (!move) return faceid;
        faceid = move.to;
        since = move.number;
      }
    },
  };
}
