import type { EngineRow, VectorEngine } from '../../src/gallery/remote/engine.js';
import { nearestRows } from '../../src/gallery/index/rows.js';
import { refusalOf } from '../../src/platform/files/obstacles.js';
import { splitFaceId } from '../../src/gallery/ids.js';

/** A vector engine in memory that is as late as Milvus, and goes away when a test says so. Several stores share it. */
export interface PlainEngine {
  open(pack: string): VectorEngine;
  /** Milliseconds until a search finds what was written; what was removed is found as long. */
  late: number;
  isAway: boolean;
  /** What it has of a pack, as of now. */
  ids(pack: string): string[];
  /** Loses a vector, as a crash might. */
  lose(pack: string, id: string): void;
  compactions: number;
}

export function createPlainEngine({ late = 0, settles = 50 } = {}): PlainEngine {
  const packs = new Map<string, Map<string, EngineRow>>();
  const rowsOf = (pack: string) => {
    const rows = packs.get(pack) ?? new Map<string, EngineRow>();
    packs.set(pack, rows);
    return rows;
  };
  /** What searches see of a pack. */
  const shown = new Map<string, Map<string, EngineRow>>();
  const shownOf = (pack: string) => {
    const rows = shown.get(pack) ?? new Map<string, EngineRow>();
    shown.set(pack, rows);
    return rows;
  };
  const later = (work: () => void) => {
    if (engine.late === 0) work();
    else setTimeout(work, engine.late).unref();
  };

  const engine: PlainEngine = {
    late,
    isAway: false,
    compactions: 0,
    ids: (pack) => [...rowsOf(pack).keys()].sort(),
    lose(pack, id) {
      rowsOf(pack).delete(id);
      shownOf(pack).delete(id);
    },

    open(pack) {
      const rows = rowsOf(pack);
      const seen = shownOf(pack);
      const here = async <T>(work: () => T): Promise<T> => {
        await Promise.resolve();
        if (engine.isAway) throw refusalOf('milvus away');
        return work();
      };
      return {
        kind: 'plain engine',
        settles,
        most: 16_384,
        search: (query, k, groups) =>
          here(() => {
            const some = [...seen.values()].filter(({ group }) => !groups || groups.has(group));
            const matrix = new Float32Array(some.length * query.length);
            for (const [i, { vector }] of some.entries()) matrix.set(vector, i * query.length);
            const { rows: nearest, distances } = nearestRows(matrix, some.length, query, k);
            return nearest.map((row, i) => ({ id: some[row].id, distance: distances[i] }));
          }),
        vectors: (ids, { fresh = false } = {}) =>
          here(() => {
            const from = fresh ? rows : seen;
            return new Map(
              ids.flatMap((id): [string, Float32Array][] => {
                const row = from.get(id);
                return row ? [[id, row.vector.slice()]] : [];
              }),
            );
          }),
        held: (ids) => here(() => new Set(ids.filter((id) => rows.has(id)))),
        write: (some) =>
          here(() => {
            for (const row of some) {
              if (splitFaceId(row.person)?.groupid !== row.group) throw new Error('This is another group.');
              const kept = { ...row, vector: row.vector.slice() };
              rows.set(row.id, kept);
              later(() => {
                if (rows.get(row.id) === kept) seen.set(row.id, kept);
              });
            }
          }),
        remove: (ids) =>
          here(() => {
            for (const id of ids) {
              const row = rows.get(id);
              rows.delete(id);
              later(() => {
                if (seen.get(id) === row) seen.delete(id);
              });
            }
          }),
        count: () => here(() => rows.size),
        compact: () => here(() => void (engine.compactions += 1)),
        trouble: () => (engine.isAway ? 'milvus away' : undefined),
        obstacle: () => Promise.resolve(engine.isAway ? ('milvus away' as const) : undefined),
        close: () => Promise.resolve(),
      };
    },
  };
  return engine;
}
