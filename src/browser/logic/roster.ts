import type { SeenFace } from './faces.js';
import { intersectionOverUnion } from './geometry.js';

/** A face's row in the list. */
export interface RosterRow {
  /** The row's own number: it outlives a track when somebody known comes back under another one. */
  readonly id: number;
  face: SeenFace;
  /** When the face was last answered, milliseconds. */
  seenAt: number;
  /** Whether the face is no longer in the picture. */
  left: boolean;
}

/** A row whose face left stays for this long, milliseconds, so that nothing moves under the pointer. */
const LINGERS = 3000;

/** An unknown face that comes in the place of one that has just left is the same one, under another number. */
const SAME_PLACE = 0.5;

/**
 * The faces as rows that stay where they are: a new face comes last, and one that left goes after a moment. Somebody known
 * who comes back meanwhile takes his row again.
 */
export function createRoster(lingers = LINGERS) {
  const rows: RosterRow[] = [];
  let next = 1;

  function rowOf(face: SeenFace, present: ReadonlySet<number>): RosterRow | undefined {
    const own = rows.find((row) => row.face.track === face.track);
    if (own) return own;
    const { faceid } = face.identity;
    return rows.find(
      (row) =>
        row.face.identity.faceid === faceid &&
        !present.has(row.face.track) &&
        (faceid !== '' || intersectionOverUnion(row.face.box, face.box) > SAME_PLACE),
    );
  }

  /** Drops the rows whose faces left a while ago. */
  function drop(now: number): void {
    for (let i = rows.length - 1; i >= 0; i--) {
      if (rows[i].left && now - rows[i].seenAt > lingers) rows.splice(i, 1);
    }
  }

  return {
    /** In the order in which the faces came; the roster's own list. */
    rows: rows as readonly RosterRow[],
    /** Takes the faces of an answer. @param now milliseconds */
    update(faces: readonly SeenFace[], now: number): void {
      const present = new Set(faces.map(({ track }) => track));
      const taken = new Set<RosterRow>();
      for (const face of faces) {
        let row = rowOf(face, present);
        if (!row || taken.has(row)) {
          row = { id: next++, face, seenAt: now, left: false };
          rows.push(row);
        }
        taken.add(row);
        Object.assign(row, { face, seenAt: now, left: false });
      }
      for (const row of rows) if (!taken.has(row)) row.left = true;
      drop(now);
    },
    drop,
    /** Whether a row is to go later. */
    get waits(): boolean {
      return rows.some(({ left }) => left);
    },
    clear(): void {
      rows.length = 0;
    },
  };
}
