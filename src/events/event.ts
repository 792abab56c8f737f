/** What can happen to a gallery, here or in another worker. */
export type ChangeKind =
  | 'created'
  | 'enrolled'
  | 'updated'
  | 'moved'
  | 'merged'
  | 'removed'
  | 'face-removed'
  | 'group-created'
  | 'group-updated'
  | 'group-removed';

/** One change, told after it shows in this process's memory. */
export interface GalleryChange {
  kind: ChangeKind;
  /** ISO 8601. */
  at: string;
  groupid: string;
  /** The person after the change; absent when a group changed. */
  faceid?: string;
  /** Of a moved or merged person: the faceid that is gone. */
  from?: string;
  /** The face that came or went; its vector is in the store under this id. */
  face?: string;
}

/**
 * One entry of the log. A change is two of them: `begun` before the store is touched, then the change itself, which
 * names the first in `of`. A worker that dies in between leaves a `begun` alone: the others then look into the store.
 * `given-up` closes a `begun` whose change did not come about.
 */
export interface GalleryEvent extends Omit<GalleryChange, 'kind'> {
  kind: ChangeKind | 'begun' | 'given-up';
  /** Unique; made by the writer. */
  uid: string;
  /** The worker that wrote it. */
  worker: string;
  /** The pack whose gallery it is about. */
  pack: string;
  /** The uid of the `begun` that this one closes. */
  of?: string;
}

/** The people whose state in the store an entry speaks of; none: it speaks of the groups. */
export function faceidsOf({ faceid, from }: Pick<GalleryEvent, 'faceid' | 'from'>): string[] {
  return [faceid, from].filter((id) => id !== undefined);
}

const MAKE_ROOM: ReadonlySet<ChangeKind> = new Set<ChangeKind>(['removed', 'face-removed', 'group-removed']);

/** Whether a change takes something away: it must work where there is no room left for anything. */
export function makesRoom({ kind }: Pick<GalleryChange, 'kind'>): boolean {
  return MAKE_ROOM.has(kind);
}

/** Publishes a gallery's changes to the other workers; see {@link GalleryEvent}. */
export interface Publisher {
  /**
   * Publishes what is about to change.
   * @returns the uid of the entry, for {@link commit} and {@link abort}
   * @throws when the log cannot be written
   */
  begin(change: GalleryChange): Promise<string>;
  /** Publishes the change; resolves when the log has it durably. @throws when the log cannot be written */
  commit(begun: string, change: GalleryChange): Promise<void>;
  /** Closes a change that did not come about. Never throws: without it the others look into the store and find nothing. */
  abort(begun: string, change: GalleryChange): Promise<void>;
}

/** For a process that shares its gallery with nobody. */
export const NO_PUBLISHER: Publisher = {
  begin: () => Promise.resolve(''),
  commit: () => Promise.resolve(),
  abort: () => Promise.resolve(),
};
