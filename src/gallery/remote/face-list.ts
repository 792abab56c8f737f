/** What Redis holds of a person's faces: their ids without the faceid, so that a move changes none of them. */
import { parseFaceId } from '../face-name.js';
import type { Face } from '../types.js';

/** Behind the ID of a face whose picture is kept. */
const PICTURE = '*';
/** Before the part of a template's id. */
const TEMPLATE = '~';

export interface FaceList {
  /** Oldest first. */
  faces: Face[];
  /** The part of the template's id; undefined where there is none. */
  template: string | undefined;
}

export function writeFaceList({ faceid }: { faceid: string }, { faces, template }: FaceList): string {
  const ids = faces.map(({ id, hasPicture }) => `${id.slice(faceid.length)}${hasPicture ? PICTURE : ''}`);
  return [...ids, ...(template === undefined ? [] : [`${TEMPLATE}${template}`])].join(' ');
}

/** @param wrong told of what is none */
export function readFaceList(
  { faceid }: { faceid: string },
  text: string | null,
  wrong: (entry: string) => void,
): FaceList {
  const list: FaceList = { faces: [], template: undefined };
  for (const entry of (text ?? '').split(' ')) {
    if (entry === '') continue;
    if (entry.startsWith(TEMPLATE)) {
      list.template = entry.slice(1);
      continue;
    }
    const hasPicture = entry.endsWith(PICTURE);
    const described = parseFaceId(faceid, `${faceid}${hasPicture ? entry.slice(0, -1) : entry}`);
    if (described) list.faces.push({ ...described, hasPicture });
    else wrong(entry);
  }
  list.faces.sort((a, b) => (a.enrolledAt + a.id < b.enrolledAt + b.id ? -1 : 1));
  return list;
}
