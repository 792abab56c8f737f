/** Takes whole lines from a text that grows. */
export function createLines() {
  let read = 0;
  return {
    /** @param text the whole text so far @returns the lines that ended since the last call, without empty ones */
    next(text: string): string[] {
      const end = text.lastIndexOf('\n');
      if (end < read) return [];
      const lines = text.slice(read, end).split('\n');
      read = end + 1;
      return lines.filter((line) => line !== '');
    },
  };
}
