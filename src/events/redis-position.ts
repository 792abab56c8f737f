/** A place in a Redis stream: the stream's generation (a new one after its data were lost) and an entry's ID. */
export interface StreamPlace {
  generation: string;
  id: string;
}

export function formatStreamPlace({ generation, id }: StreamPlace): string {
  return `${id}@${generation}`;
}

export function parseStreamPlace(position: string): StreamPlace | undefined {
  const [, id, generation] = /^(\d+-\d+)@(.+)$/.exec(position) ?? [];
  return id ? { generation, id } : undefined;
}

/** The text if it is an entry's ID, else the ID before all entries. */
export function idOr(text: string): string {
  return /^\d{1,20}-\d{1,20}$/.test(text) ? text : '0-0';
}

/** Negative, 0 or positive, as the first entry is older, the same or newer. */
export function compareIds(a: string, b: string): number {
  const [aTime, aCount] = a.split('-').map(BigInt);
  const [bTime, bCount] = b.split('-').map(BigInt);
  const difference = aTime === bTime ? aCount - bCount : aTime - bTime;
  return Number(difference > 0n) - Number(difference < 0n);
}

/** An ID that is before the entry and after all earlier ones. */
export function idBefore(id: string): string {
  const [time, count] = id.split('-').map(BigInt);
  if (count > 0n) return `${time}-${count - 1n}`;
  return time > 0n ? `${time - 1n}-18446744073709551615` : '0-0';
}
