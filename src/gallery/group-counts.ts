/** How many people and faces there are. */
export interface Count {
  people: number;
  faces: number;
}

/** See {@link createGroupCounts}. */
export type GroupCounts = ReturnType<typeof createGroupCounts>;

/** Counts people and faces, by group and in all, so that nobody walks over them. */
export function createGroupCounts() {
  const byGroup = new Map<string, Count>();
  const total: Count = { people: 0, faces: 0 };
  const none: Readonly<Count> = { people: 0, faces: 0 };

  return {
    total: total as Readonly<Count>,
    of: (groupid: string): Readonly<Count> => byGroup.get(groupid) ?? none,
    groupids: (): Iterable<string> => byGroup.keys(),

    /** @param by may be negative */
    add(groupid: string, by: Partial<Count>): void {
      const { people = 0, faces = 0 } = by;
      const count = byGroup.get(groupid) ?? { people: 0, faces: 0 };
      byGroup.set(groupid, count);
      for (const one of [count, total]) {
        one.people += people;
        one.faces += faces;
      }
      if (count.people === 0 && count.faces === 0) byGroup.delete(groupid);
    },
  };
}
