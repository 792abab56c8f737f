import type { ChangeKind } from '../events/event.js';

/** The notices' names of the gallery's changes; `GET /api/v1/events` has the same. */
export const CHANGE_NAMES = {
  created: 'created',
  enrolled: 'enrolled',
  updated: 'updated',
  moved: 'moved',
  merged: 'merged',
  removed: 'deleted',
  'face-removed': 'face-deleted',
  corrected: 'corrected',
  'correction-removed': 'correction-deleted',
  'group-created': 'group-created',
  'group-updated': 'group-updated',
  'group-removed': 'group-deleted',
  'threshold-changed': 'threshold-changed',
} as const satisfies Record<ChangeKind, string>;

/** What cameras see. */
export const VISIT_NAMES = ['arrived', 'left', 'unknown'] as const;

/** What `NOTICE_TYPES` may name. */
export const NOTICE_TYPES = [...VISIT_NAMES, ...Object.values(CHANGE_NAMES)] as const;

/** Besides those, `missed` says that notices were dropped, and `test` that somebody tries a receiver. */
export type NoticeType = (typeof NOTICE_TYPES)[number] | 'missed' | 'test';

/** What others are told of one thing that happened. Never a vector, never a picture: at most a picture's address. */
export interface Notice {
  /** The same each time that this is told, so that a receiver can drop doubles. */
  id: string;
  type: NoticeType;
  /** When it happened, ISO 8601, UTC. */
  at: string;
  /** Whom it is about; the name as it is when this is sent: null for who is gone. */
  person?: { faceid: string; groupid: string; userid: string; username: string | null };
  /** Of a change of a group. */
  groupid?: string;
  /** The former faceid of a person who was moved or merged. */
  from?: string;
  /** ID of the picture that was added or removed. */
  face?: string;
  /** The camera. */
  deviceid?: string;
  /** How many people whose names are known are at the camera when this is sent. */
  present?: number;
  /** ID of the sighting. */
  sighting?: number;
  /** Where the picture is on this server, for who has a key; a path. */
  picture?: string;
  /** ID of the stranger's group. */
  unknown?: string;
  /** Of `missed`: how many were dropped; null where nobody knows. */
  count?: number | null;
}

/** One place of a source. */
export interface Item {
  /** From which reading continues behind this one. */
  position: string;
  /** Milliseconds since 1970. */
  at: number;
  /** Makes the notice, with what is known at that moment; absent, or without a notice: nobody is told of this one. */
  make?: () => Promise<Notice | undefined>;
}

/** Notices in one order that outlives processes. A position is a text that only the source makes. */
export interface Source {
  readonly name: 'gallery' | 'sightings';
  /** Where somebody begins who wants to hear of what happens from now on. */
  now(): Promise<string>;
  read(position: string): Promise<{
    items: Item[];
    /** From where to read on: there is no more for now where it is the position that was given. */
    next: string;
    /** A position behind the items that survives a power cut; undefined: the last item's. */
    settled?: string;
    /** Others may have been in between. */
    isLost: boolean;
  }>;
  /** Keeps what comes after the position from being removed, for a minute. */
  hold?(name: string, position: string): Promise<void>;
}

/** Somebody who is told. */
export interface Receiver {
  /** Names its cursors: of its address, which it does not tell. */
  readonly id: string;
  /** For people; without paths, in which tokens may be. */
  readonly name: string;
  /**
   * Resolves when the receiver has it.
   * @param signal ends the attempt
   * @throws DeliveryError
   */
  deliver(notice: Notice, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Why a receiver does not have a notice. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  /** The receiver wants no more. */
  readonly isGone: boolean;
  /** When it wants to be asked again, seconds. */
  readonly retryAfter: number | undefined;

  /** @param message goes on after "it": `answers 500` */
  constructor(
    message: string,
    { isGone = false, retryAfter }: { isGone?: boolean; retryAfter?: number | undefined } = {},
  ) {
    super(message);
    this.isGone = isGone;
    this.retryAfter = retryAfter;
  }
}
