import type { GalleryChange } from '../events/event.js';
import type { KnownPeople } from './memory.js';

/**
 * Whether memory, which was read from the store a moment ago, holds what a change was to make of it.
 * @returns undefined where that does not show: a name may have been the same before
 */
export function wasDone(
  memory: Pick<KnownPeople, 'has' | 'hasFace' | 'corrections' | 'groups'>,
  { kind, groupid, faceid = '', from = '', face = '' }: GalleryChange,
): boolean | undefined {
  const isCorrection = () => memory.corrections.of(faceid).some(({ id }) => id === face);
  const isGroup = () => memory.groups().some((group) => group.groupid === groupid);
  switch (kind) {
    case 'created':
      return memory.has(faceid);
    case 'enrolled':
      return memory.hasFace(faceid, face);
    case 'removed':
      return !memory.has(faceid);
    case 'face-removed':
      return !memory.hasFace(faceid, face);
    case 'moved':
    case 'merged':
      return memory.has(faceid) && !memory.has(from);
    case 'corrected':
      return isCorrection();
    case 'correction-removed':
      return !isCorrection();
    case 'group-created':
      return isGroup();
    case 'group-removed':
      return !isGroup();
    case 'updated':
    case 'group-updated':
    case 'threshold-changed':
      return undefined;
  }
}
