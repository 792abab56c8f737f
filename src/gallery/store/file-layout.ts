import path from 'node:path';
import { SET_ASIDE } from '../../platform/files/set-aside.js';

/** The groups, a file each. */
export const GROUPS = 'groups';
/** The log of events (src/events/file-log.ts). */
export const EVENTS = 'events';
/** What a start reads instead of everybody's files (src/gallery/snapshot). */
export const SNAPSHOTS = 'snapshots';
/** How far others have been told what happened (src/notices). */
export const NOTICES = 'notices';
/** Begins the name of a deleted person's folder: renaming it is the deletion, then its files are removed. */
export const REMOVED = '.removed-';
export const PERSON_FILE = 'person.json';
/** Ends the name of a correction's vector: a face that is not this person's. */
export const CORRECTION = '.not';
/** An empty file for everybody who has corrections: a start from a snapshot does not look into everybody's folder. */
export const CORRECTED = '.corrected';

/** Names in the gallery's folder that do not belong to a pack. */
export const RESERVED: readonly string[] = [SET_ASIDE, GROUPS, EVENTS, SNAPSHOTS, NOTICES];

/** Where things lie in one pack's part of the gallery; docs/gallery.md has the picture. */
export interface Layout {
  /** The gallery's folder. */
  folder: string;
  pack: string;
  packFolder: string;
  personFolder(faceid: string): string;
  personFile(faceid: string): string;
  vectorFile(face: { faceid: string; id: string }): string;
  pictureFile(face: { faceid: string; id: string }): string;
  correctionFile(correction: { faceid: string; id: string }): string;
  correctedFolder: string;
  correctedFile(faceid: string): string;
}

export function createLayout(folder: string, pack: string): Layout {
  const packFolder = path.join(folder, pack);
  const personFolder = (faceid: string) => path.join(packFolder, faceid);
  return {
    folder,
    pack,
    packFolder,
    personFolder,
    personFile: (faceid) => path.join(personFolder(faceid), PERSON_FILE),
    vectorFile: ({ faceid, id }) => path.join(personFolder(faceid), `${id}.npy`),
    pictureFile: ({ faceid, id }) => path.join(personFolder(faceid), `${id}.png`),
    correctionFile: ({ faceid, id }) => path.join(personFolder(faceid), `${id}${CORRECTION}`),
    correctedFolder: path.join(packFolder, CORRECTED),
    correctedFile: (faceid) => path.join(packFolder, CORRECTED, faceid),
  };
}

/** Whether a folder is a person: it has a face or `person.json`. @param names of its files */
export function isPerson(names: readonly string[]): boolean {
  return names.some((name) => name === PERSON_FILE || name.endsWith('.npy'));
}
