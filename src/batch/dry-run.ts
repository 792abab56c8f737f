import { isSameEmbedding } from '../gallery/embedding.js';
import { faceIdOf } from '../gallery/ids.js';
import type { Gallery } from '../gallery/types.js';
import type { EnrollerDeps } from '../identity/enrol.js';
import type { BatchItem } from './list.js';

/** What a batch needs of the gallery. */
export type BatchGallery = EnrollerDeps['gallery'] & Pick<Gallery, 'nearest' | 'vectors'>;

/** The gallery of a dry run: it finds known faces, and stores none. */
export function unwritten(gallery: BatchGallery, items: readonly BatchItem[]): BatchGallery {
  const groups = new Set(items.map(({ groupid }) => groupid));
  return {
    ...gallery,
    // Missing groups would be created by then.
    group: (groupid) => Promise.resolve(groups.has(groupid) ? { groupid, groupname: groupid } : undefined),
    async enrolOnce({ groupid, userid }, embedding) {
      const faceid = faceIdOf(groupid, userid);
      const stored = (await gallery.person(faceid)) ? await gallery.vectors(faceid) : [];
      const same = stored.find(({ vector }) => isSameEmbedding(vector, embedding));
      if (same) return { face: same.face, already: true };
      const face = { id: '', faceid, enrolledAt: '', automatic: false, hasPicture: false };
      return { face, already: false };
    },
  };
}
