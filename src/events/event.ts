/** What can happen to a gallery, here or in another worker. */
export type ChangeKind =
  | 'created'
  | 'enrolled'
  | 'updated'
  | 'moved'
  | 'merged'
  | 'removed'
  | 'face-removed'
  | 'corrected'
  | 'correction-removed'
  | 'group-created'
  | 'group-updated'
  | 'group-removed'
  | 'threshold-changed';

/** One change, reported once this process's memory has it. */
export interface GalleryChange {
  kind: ChangeKind;
  /** ISO 8601. */
  at: string;
  groupid: string;
  /** The person after the change; absent when a group changed. */
  faceid?: string;
  /** The former faceid of a moved or merged person. */
  from?: string;
  /** The face, or the correction, that was added or removed; its embedding has this ID in the store. */
  face?: string;
}

/**
 * One entry of the log. A change is two of them: `begun` before the store is touched, then the change itself, which
 * names the first in `of`. A worker that dies in between leaves only a `begun`: the others then check the store.
 * `given-up` closes a `begun` whose change did not happen.
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
  /** Of a `begun`: the kind of the change. Who finds it left open can say then that it was made. */
  will?: ChangeKind;
}

/** The people that an entry is about; none: it is about groups. */
export function faceidsOf({ faceid, from }: Pick<GalleryEvent, 'faceid' | 'from'>): string[] {
  return [faceid, from].filter((id) => id !== undefined);
}

const MAKE_ROOM: ReadonlySet<ChangeKind> = new Set<ChangeKind>([
  'removed',
  'face-removed',
  'correction-removed',
  'group-removed',
]);

/** Whether changes only remove something, so that they must work even when there is no room left. */
export function makeRoom(changes: readonly Pick<GalleryChange, 'kind'>[]): boolean {
  return changes.every(({ kind }) => MAKE_ROOM.has(kind));
}

/** Publishes a gallery's changes to the other workers, several at a time; see {@link GalleryEvent}. */
export interface Publisher {
  /**
   * Publishes what is about to change.
   * @returns the uids of the entries, for {@link commit} and {@link abort}
   * @throws when the log cannot be written
   */
  begin(changes: readonly GalleryChange[]): Promise<string[]>;
  /** Publishes the changes; resolves when the log has them durably. @throws when the log cannot be written */
  commit(begun: readonly string[], changes: readonly GalleryChange[]): Promise<void>;
  /** Closes changes that did not happen. Never throws: without it, the others check the store and find nothing. */
  abort(begun: readonly string[], changes: readonly GalleryChange[]): Promise<void>;
  /**
   * Closes a change that another process left open, in its name. Who closes it as well, or the process itself if it was only
   * slow, publishes an event of the same uid: whoever hears both takes them for one.
   * @param kind what became of it
   * @throws when the log cannot be written
   */
  settle(begun: GalleryEvent, kind: ChangeKind | 'given-up'): Promise<void>;
}

/** For a process that shares its gallery with nobody. */
export const NO_PUBLISHER: Publisher = {
  begin: () => Promise.resolve([]),
  commit: () => Promise.resolve(),
  abort: () => Promise.resolve(),
  settle: () => Promise.resolve(),
};
