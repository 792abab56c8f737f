/** Reads people of a remote gallery from Redis: whom a search found, or a page shows. */
import type { Damage } from '../../platform/files/damage.js';
import { splitFaceId } from '../ids.js';
import { isProfile, profileOf } from '../store/profile.js';
import type { Profile } from '../store/store.js';
import type { Face } from '../types.js';
import { MOST_WORDS, type RemoteRedis } from './commands.js';
import { readFaceList } from './face-list.js';
import type { RemoteLayout } from './layout.js';
import { templateId } from './template-ids.js';

/** A person as Redis has them. */
export interface RemotePerson extends Profile {
  faceid: string;
  /** Oldest first. */
  faces: Face[];
  /** Of the template; undefined where there is none. */
  templateId: string | undefined;
  /** What stands in Redis, to find out whether it still does. */
  texts: { profile: string; list: string | null };
}

/** See {@link createRemoteReader}. */
export type RemoteReader = ReturnType<typeof createRemoteReader>;

export function createRemoteReader({
  redis,
  layout,
  damage,
}: {
  redis: RemoteRedis;
  layout: RemoteLayout;
  damage: Damage;
}) {
  const { people, lists } = layout;

  function toProfile(faceid: string, text: string): Profile {
    try {
      const value: unknown = JSON.parse(text);
      if (isProfile(value)) return profileOf(value);
    } catch {
      // Said below.
    }
    damage.report(`${people} ${faceid}`, 'the person is shown by the ID until a name is given again');
    return { username: '', metadata: {} };
  }

  function toPerson(faceid: string, profile: string | null, list: string | null): RemotePerson | undefined {
    if (profile === null) return undefined;
    const { faces, template } = readFaceList({ faceid }, list, () =>
      damage.report(`${lists} ${faceid}`, 'an entry is not that of a face of this person; it is passed over'),
    );
    return {
      ...{ faceid, ...toProfile(faceid, profile), faces },
      templateId: template === undefined ? undefined : templateId(faceid, template),
      texts: { profile, list },
    };
  }

  /** As of one moment, of each call of a thousand. */
  async function read(faceids: readonly string[]): Promise<(RemotePerson | undefined)[]> {
    const found: (RemotePerson | undefined)[] = [];
    for (let at = 0; at < faceids.length; at += MOST_WORDS) {
      const part = faceids.slice(at, at + MOST_WORDS);
      const [profiles, listed] = await redis.readPeople(people, lists, ...part);
      for (const [i, faceid] of part.entries())
        found.push(splitFaceId(faceid) ? toPerson(faceid, profiles[i], listed[i]) : undefined);
    }
    return found;
  }

  return { read };
}
