/**
 * Where an arrow key, Home or End leads in a grid that is filled row by row.
 * @param at the present cell, counted from 0
 * @returns undefined when the key leads nowhere
 */
export function cellAfter(
  key: string,
  at: number,
  { count, columns }: { count: number; columns: number },
): number | undefined {
  const to = target(key, at, { count, columns });
  return to === undefined || to === at || to < 0 || to >= count ? undefined : to;
}

function target(
  key: string,
  at: number,
  { count, columns }: { count: number; columns: number },
): number | undefined {
  switch (key) {
    case 'ArrowRight':
      return at + 1;
    case 'ArrowLeft':
      return at - 1;
    case 'ArrowUp':
      return at - columns;
    case 'ArrowDown': {
      const below = at + columns;
      const hasRowBelow = Math.floor(at / columns) < Math.floor((count - 1) / columns);
      // A last row that is shorter.
      return below >= count && hasRowBelow ? count - 1 : below;
    }
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return undefined;
  }
}
