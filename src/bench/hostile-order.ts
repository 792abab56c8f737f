/** What the clients are told at their begin. */
export interface HostileOrder {
  port: number;
  /** A key for each of the four; the last one is an administrator's. */
  keys: string[];
  /** Those of them who take part. */
  who: readonly HostileName[];
}

/** What each of the clients is after; their order is that of their keys. */
export const HOSTILE = ['slow', 'flood', 'abort', 'crowd'] as const;
export type HostileName = (typeof HOSTILE)[number];

/** What they tell, each second and at their end. */
export interface HostileReport {
  /** Answers by status; `hung up`: the server ended a connection without one. */
  answers: Record<string, number>;
  /** Changes that the server acknowledged: the audit must have a line for each. */
  acknowledged: number;
}
