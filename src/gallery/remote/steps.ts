/** What a change of people means in Redis: one step of commands. */
import { splitFaceId } from '../ids.js';
import { profileOf } from '../store/profile.js';
import type { Profile } from '../store/store.js';
import type { Face } from '../types.js';
import type { Word } from './commands.js';
import { writeFaceList } from './face-list.js';
import type { RemoteLayout } from './layout.js';
import { nameEntries } from './name-keys.js';
import type { RemotePerson } from './reader.js';

/** A person as they are to be. */
export interface NextPerson extends Profile {
  faces: readonly Face[];
  templateId: string | undefined;
}

export const profileText = (profile: Profile): string => JSON.stringify(profileOf(profile));

/** The commands that make somebody what they are to be; undefined: not there. */
export function commandsOf(
  layout: RemoteLayout,
  faceid: string,
  was: RemotePerson | undefined,
  next: NextPerson | undefined,
): Word[][] {
  const { people, lists, order, bare, names } = layout;
  const commands: Word[][] = [];
  const groupid = splitFaceId(faceid)?.groupid ?? '';
  const count = (what: 'p' | 'f', by: number) => {
    if (by === 0) return;
    commands.push(
      ['HINCRBY', layout.counts(), what, by],
      ['HINCRBY', layout.counts(), `${what}:${groupid}`, by],
    );
  };

  if (next) commands.push(['HSET', people, faceid, profileText(next)]);
  else commands.push(['HDEL', people, faceid]);
  const template = next?.templateId?.slice(next.templateId.lastIndexOf('~') + 1);
  const list = next && writeFaceList({ faceid }, { faces: [...next.faces], template });
  if (list) commands.push(['HSET', lists, faceid, list]);
  else commands.push(['HDEL', lists, faceid]);

  if (next && !was) commands.push(['ZADD', order, 0, faceid]);
  if (!next) commands.push(['ZREM', order, faceid]);
  const isBare = next?.faces.length === 0;
  const wasBare = was?.faces.length === 0;
  if (isBare && !wasBare) commands.push(['ZADD', bare, 0, faceid]);
  if (wasBare && !isBare) commands.push(['ZREM', bare, faceid]);
  count('p', Number(next !== undefined) - Number(was !== undefined));
  count('f', (next?.faces.length ?? 0) - (was?.faces.length ?? 0));

  const before = was ? nameEntries(faceid, was.username) : [];
  const after = next ? nameEntries(faceid, next.username) : [];
  for (const entry of before) if (!after.includes(entry)) commands.push(['ZREM', names, entry]);
  for (const entry of after) if (!before.includes(entry)) commands.push(['ZADD', names, 0, entry]);
  return commands;
}
