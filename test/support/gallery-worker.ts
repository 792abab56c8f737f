/**
 * A worker without networks: a gallery opened as the server opens it, told what to do by its parent. Every request
 * `{id, verb, args}` is answered by `{id, result}` or `{id, error}`. `PACK` and `PACK_LENGTH` name another pack than tiny. With
 * `SNAPSHOTS_OFTEN` the gallery, however small, lies over snapshots that are made all the time. It tells the receivers that the
 * settings name, too.
 */
import { loadConfig } from '../../src/settings/config.js';
import { KaomonError } from '../../src/platform/errors.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { createDecision } from '../../src/identity/decision.js';
import { openGallery } from '../../src/gallery/open.js';
import type { GalleryChange } from '../../src/gallery/types.js';
import { openNotices } from '../../src/notices/open.js';
import { POST_TIMES } from '../../src/notices/post.js';
import { PLAIN_CURVE } from './curve.js';
import { everybody, TINY } from './galleries.js';

// Its parent is gone, while the gallery opens as later: so is everybody who could ask.
process.on('disconnect', () => process.exit(0));
const config = loadConfig();
const { PACK: id = 'tiny', PACK_LENGTH = TINY, SNAPSHOTS_OFTEN: isOften } = process.env;
const OFTEN = { poll: 50, many: 100, few: 300, erase: 100, retry: 50 };
const length = Number(PACK_LENGTH);
const pack = { id, embedder: { length }, templates: true };
const index = createExactIndex(length);
const { gallery, events, snapshots } = await openGallery(config, {
  ...{ pack, index, follow: true, settleAfter: [1500, 4000] },
  warn: () => undefined,
  ...(isOften && { keep: { times: OFTEN, leastFaces: 1 } }),
});
const notices = await openNotices(config, {
  ...{ gallery, pack: id, warn: () => undefined, note: () => undefined },
  times: { ...POST_TIMES, turn: 50, look: 50, retry: 50, longest: 200 },
});
const decision = createDecision({
  ...{ pack: { id, thresholds: { identical: 0.5, sure: 0.25 }, curve: PLAIN_CURVE }, config, gallery },
});
const changes: GalleryChange[] = [];
/** When each change showed here, by the clock that all processes share. */
const seen = new Map<string, number>();
gallery.subscribe((change) => {
  changes.push(change);
  seen.set(
    `${change.kind} ${change.face ?? change.faceid ?? change.groupid}`,
    performance.timeOrigin + performance.now(),
  );
});

const VERBS: Partial<Record<string, (...args: never[]) => unknown>> = {
  async enrol(groupid: string, userid: string, vector: number[]) {
    return gallery.enrol({ groupid, userid }, Float32Array.from(vector));
  },
  create: (groupid: string, userid: string) => gallery.createPerson({ groupid, userid }),
  remove: (groupid: string, userid: string) => gallery.remove(groupid, userid),
  removeFace: (faceid: string, id: string) => gallery.removeFace(faceid, id),
  rename: (faceid: string, username: string) => gallery.updatePerson(faceid, { username }),
  move: (faceid: string, groupid: string, userid: string) => gallery.movePerson(faceid, { groupid, userid }),
  merge: (from: string, into: string) => gallery.mergePerson(from, into),
  correct: async (faceid: string, vector: number[]) =>
    (await gallery.correct(faceid, Float32Array.from(vector))).correction,
  takeBack: (faceid: string, id: string) => gallery.removeCorrection(faceid, id),
  /** ID of the correction that rules a person out for a face. */
  ruling: async (faceid: string, vector: number[]) =>
    (await gallery.nearest(Float32Array.from(vector), 1, { faceid })).at(0)?.correction ?? null,
  setThreshold: (identical?: number) => gallery.setThreshold(identical),
  createGroup: (groupid: string) => gallery.createGroup({ groupid, groupname: groupid }),
  async nearest(vector: number[]) {
    const match = (await gallery.nearest(Float32Array.from(vector), 1)).at(0);
    return match ? { faceid: match.person.faceid, face: match.face.id, distance: match.distance } : null;
  },
  /** Everything that this process knows, and how many vectors its index holds: the faces' and the templates'. */
  snapshot: async () => ({
    groups: gallery.groups(),
    people: (await everybody(gallery)).map(({ faceid, username, faces }) => [
      faceid,
      username,
      faces.map(({ id }) => id).sort(),
    ]),
    corrections: gallery.corrections().map(({ id }) => id),
    faces: gallery.info().faces,
    // Over a snapshot, which a thousand faces have made, or Milvus, each worker has those alone that are newer.
    ...(!isOften &&
      snapshots?.number() === undefined &&
      config.INDEX !== 'milvus' && { vectors: index.size }),
  }),
  /** How many are searched, and the threshold that follows from it. */
  searched: (groups?: string[]) => gallery.searched(groups && new Set(groups)),
  threshold: (groups?: string[]) => decision.threshold(groups && new Set(groups)),
  changes: () => changes.map(({ kind, faceid, face }) => ({ kind, faceid, face })),
  seen: (key: string) => seen.get(key) ?? null,
  state: () => events?.info(),
  notices: () => notices && { ...notices.info(), leads: notices.leads() },
  async close() {
    await notices?.close();
    await gallery.close();
    setImmediate(() => process.disconnect());
  },
};

process.on('message', ({ id, verb, args }: { id: number; verb: string; args: never[] }) => {
  void (async () => {
    try {
      process.send?.({ id, result: (await VERBS[verb]?.(...args)) ?? null });
    } catch (error) {
      const {
        code = 'FAULT',
        statusCode = 500,
        retryAfter = null,
      } = error instanceof KaomonError ? error : {};
      process.send?.({ id, error: { code, statusCode, retryAfter, message: String(error) } });
    }
  })();
});
process.send?.({ ready: true });
