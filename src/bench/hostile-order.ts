/** The order that starts the hostile clients. */
export interface HostileOrder {
  port: number;
  /** A key for each of them; the last two are administrators'. */
  keys: string[];
  /** Numbers of an embedding. */
  numbers: number;
  /** Which of them take part. */
  who: readonly HostileName[];
}

/** The hostile clients, in the order of their keys. */
export const HOSTILE = ['slow', 'flood', 'abort', 'careless', 'crowd'] as const;
export type HostileName = (typeof HOSTILE)[number];

/** What they report, every second and at the end. */
export interface HostileReport {
  /** Answers by status; `hung up`: the server closed a connection without an answer. */
  answers: Record<string, number>;
  /** Changes that the server acknowledged: the audit log must have a line for each. */
  acknowledged: number;
}
