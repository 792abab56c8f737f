import { KaomonError, toPlainError } from '../platform/errors.js';
import { checkGroupId } from '../gallery/ids.js';
import type { Face, Gallery, Person } from '../gallery/types.js';
import type { Decision } from '../identity/decision.js';
import { tellOdds } from '../identity/odds.js';
import { currentIn, type Identifier, observed, type Times } from '../identity/identify.js';
import type { Place } from '../identity/types.js';
import { partWithin } from '../vision/boxes.js';
import type { VisionPool } from '../vision/types.js';
import { readText, type ServerMessage, type StreamFace, type StreamOptions } from './protocol.js';
import type { Track } from './track.js';
import { FaceTracker } from './tracks.js';

export interface SessionDeps {
  vision: Pick<VisionPool, 'analyze'>;
  identifier: Pick<Identifier, 'admit' | 'identify' | 'wantsPictures'>;
  gallery: Pick<Gallery, 'group' | 'groups' | 'current' | 'ruledOut'>;
  decision: Pick<Decision, 'sure' | 'odds' | 'pair' | 'meaning'>;
  /** Largest frame, bytes. */
  maxFrameBytes: number;
  /** Shorter side of the smallest face to look for, pixels, unless the client sets another. */
  minFaceSize: number;
  /** How often a scene is searched in which nobody is and nothing moves, milliseconds; 0: in every frame. Default 0. */
  quietSearch?: number;
  /** The groups that the client may see; undefined: all. */
  groups: ReadonlySet<string> | undefined;
  /** The address of a person's thumbnail, of this face if possible, that the client may see. Default: it may see none. */
  thumbnailOf?: (person: Person, face: Face) => string | null;
  /** The camera, unless the client names another; where nobody does, who came by is not kept. */
  deviceid?: string;
  /** Whose pictures these are, for sharing the queue fairly (see TaskQueue). */
  caller?: string;
  send: (message: ServerMessage) => void;
  /** Called with internal errors, whose details the client is not told. */
  onFault: (error: unknown) => void;
  /** A monotonic clock, milliseconds; for tests. */
  now?: () => number;
}

/** The most messages of a client that wait for an answer of the store. */
const MOST_ASKED = 8;

interface Frame {
  frame: number;
  bytes: Uint8Array;
  arrivedAt: number;
}

/**
 * One connection's frames: one is processed at a time, and the newest of the others waits. So each connection has at most
 * one frame in the vision threads' queue, and connections take turns, however many frames each sends.
 */
export function createStreamSession(deps: SessionDeps) {
  const { vision, identifier, gallery, decision, send, now = () => performance.now() } = deps;
  const tracker = new FaceTracker(
    decision.pair(),
    (...asked) => gallery.ruledOut(...asked),
    deps.quietSearch,
  );
  let told = decision.meaning(deps.groups);
  let options: StreamOptions = {};
  /** Groups of the options that have been deleted since. */
  let missing: string[] = [];
  let count = 0;
  let isRunning = false;
  let waiting: Frame | undefined;
  /** Options whose groups are being asked for, and how many of them. */
  let asking: Promise<void> | undefined;
  let asked = 0;
  let isClosed = false;
  const gone = new AbortController();
  /** By this the tracks are told from those of other connections. */
  const source = {};
  /** Bytes of the frame in progress. */
  let running = 0;

  /** A client narrows the groups that its key allows, and cannot widen them. */
  function groups(): ReadonlySet<string> | undefined {
    if (options.groups === undefined) return deps.groups;
    const { groups: allowed } = deps;
    return new Set(options.groups.filter((groupid) => allowed === undefined || allowed.has(groupid)));
  }

  /** @throws KaomonError GROUPID_INVALID, FORBIDDEN */
  function checkGroups(ids: readonly string[]): void {
    for (const id of ids) {
      checkGroupId(id);
      if (deps.groups && !deps.groups.has(id))
        throw new KaomonError('FORBIDDEN', `This key is not for the group "${id}".`);
    }
  }

  /** Asks whether groups are there that this process does not know of. @throws KaomonError GROUP_UNKNOWN */
  async function askFor(ids: readonly string[]): Promise<void> {
    for (const id of missingOf(ids)) if (!(await gallery.group(id))) throw unknownGroup(id);
  }

  function take(more: StreamOptions): void {
    options = { ...options, ...more };
    if (more.groups) tracker.doubtAll();
  }

  /** Takes options once it is known whether their groups are there. Frames and other options wait for it. */
  function takeLater(more: StreamOptions): void {
    asked += 1;
    const mine = (asking ?? Promise.resolve())
      .then(async () => {
        await askFor(more.groups ?? []);
        take(more);
      })
      .catch((error: unknown) => refuse(error))
      .finally(() => {
        asked -= 1;
        if (asking === mine) asking = undefined;
      });
    asking = mine;
  }

  /** Which of these groups do not exist. */
  function missingOf(ids: readonly string[]): string[] {
    if (ids.length === 0) return [];
    const known = new Set(gallery.groups().map(({ groupid }) => groupid));
    return ids.filter((id) => !known.has(id));
  }

  /** Tells the client once when a group of its options has been deleted, whose people are then no longer named. */
  function tellMissing(): void {
    const gone = missingOf(options.groups ?? []);
    for (const id of gone) if (!missing.includes(id)) refuse(unknownGroup(id));
    missing = gone;
  }

  function refuse(error: unknown, frame?: number): void {
    if (isClosed) return;
    const { code, message, retryAfter } = toPlainError(error);
    if (code === 'INTERNAL') deps.onFault(error);
    send({
      type: 'error',
      frame,
      code,
      message: code === 'INTERNAL' ? 'The server failed on this frame: its log has the reason.' : message,
      retryAfter,
    });
  }

  async function work(): Promise<void> {
    isRunning = true;
    for (;;) {
      while (asking) await asking;
      const next = nextFrame();
      if (!next) break;
      const { frame } = next;
      running = next.bytes.length;
      try {
        const answer = await identify(next);
        if (!isClosed) send(answer);
      } catch (error) {
        refuse(error, frame);
      }
    }
    isRunning = false;
    running = 0;
  }

  function nextFrame(): Frame | undefined {
    const frame = waiting;
    waiting = undefined;
    return frame;
  }

  async function identify({ frame, bytes, arrivedAt }: Frame): Promise<ServerMessage> {
    const waited = performance.now() - arrivedAt;
    identifier.admit(deps.caller);
    const minFaceSize = options.minFaceSize ?? deps.minFaceSize;
    const plan = tracker.plan(now(), options.track, minFaceSize);
    const place = placeOf(options);
    const analysis = await vision.analyze(bytes, {
      caller: deps.caller,
      signal: gone.signal,
      minFaceSize,
      quality: options.quality,
      aligned: place !== undefined && identifier.wantsPictures,
      track: {
        ...{ faces: plan.faces, search: plan.search, closeUps: plan.closeUps },
        ...{ quiet: plan.quiet, keepEmpty: tracker.quietSearch > 0 },
      },
    });
    const { width, height, leftOut, times } = analysis;
    const searchedAt = performance.now();
    tellMissing();
    const within = groups();
    let answer: StreamFace[] = [];
    await identifier.identify(analysis.faces, {
      groups: within,
      caller: deps.caller,
      signal: gone.signal,
      isAdmitted: true,
      place,
      settle(faces, identical) {
        tellThresholds(identical, within);
        tracker.refresh(currentIn(gallery, within));
        const nearest = faces.map(({ candidates }) => candidates.at(0));
        const found = tracker.update(plan, analysis, nearest, { now: now(), identical });
        answer = found.map((track) => describe(track, analysis, within));
        return found.map(({ id, face, match }) => ({
          ...observed({ face, match: match && { ...match, odds: decision.odds(match.distance, within) } }),
          track: id,
        }));
      },
    });
    const all: Times = { ...times, queue: times.queue + waited, search: performance.now() - searchedAt };
    return {
      type: 'frame',
      frame,
      width,
      height,
      full: analysis.searched ?? plan.search,
      faces: answer,
      leftOut,
      times: round(all),
    };
  }

  /** The client may name its camera, or ask that nobody is kept, as a page does that enrols. */
  function placeOf({ deviceid: named, sightings = true }: StreamOptions): Place | undefined {
    const deviceid = named === undefined || named === '' ? deps.deviceid : named;
    return sightings && deviceid !== undefined ? { deviceid, source } : undefined;
  }

  /** Sends the thresholds when they have changed. */
  function tellThresholds(identical: number, within: ReadonlySet<string> | undefined): void {
    if (isClosed || (identical === told.identical && decision.sure(within) === told.sure)) return;
    told = decision.meaning(within);
    send({ type: 'thresholds', thresholds: told });
  }

  function describe(
    { id, face, match, nearest, unfit }: Track,
    frame: { width: number; height: number },
    within: ReadonlySet<string> | undefined,
  ): StreamFace {
    const { probability, landmarks } = face;
    // A face may be larger than the frame; what is drawn may not.
    const box = partWithin(face.box, frame);
    const quality = face.quality ?? unfit?.quality;
    const person = match?.person;
    const { distance = null } = match ?? nearest ?? {};
    const reason = person ? undefined : unfit?.unfit;
    const group = person && gallery.groups().find(({ groupid }) => groupid === person.groupid);
    return {
      track: id,
      x: tenths(box.x1),
      y: tenths(box.y1),
      width: tenths(box.x2 - box.x1),
      height: tenths(box.y2 - box.y1),
      probability: Math.round(probability * 1e4) / 1e4,
      faceid: person?.faceid ?? '',
      userid: person?.userid ?? null,
      username: person?.username ?? null,
      groupid: person?.groupid ?? null,
      groupname: person ? (group?.groupname ?? person.groupid) : null,
      thumbnail: (match && deps.thumbnailOf?.(match.person, match.face)) ?? null,
      distance: distance && Math.max(0, distance),
      sure: person !== undefined && distance !== null && distance < decision.sure(within),
      ...tellOdds(distance === null ? undefined : decision.odds(distance, within)),
      landmarks: options.landmarks && landmarks ? Array.from(landmarks, tenths) : undefined,
      quality: options.quality === true || reason !== undefined ? quality : undefined,
      reason,
    };
  }

  return {
    /** Bytes of the frame in progress and the one that waits. */
    held: () => running + (waiting?.bytes.length ?? 0),

    /** The client's next frame. @param bytes an encoded picture; ownership passes to the session */
    frame(bytes: Uint8Array): void {
      const frame = count++;
      if (isClosed) return;
      if (bytes.length > deps.maxFrameBytes) {
        const { maxFrameBytes } = deps;
        const message = `A frame has at most ${maxFrameBytes} bytes: send a smaller picture.`;
        refuse(new KaomonError('UPLOAD_TOO_LARGE', message, { details: { maxBytes: maxFrameBytes } }), frame);
        return;
      }
      // The newest frame wins: the one that waited is out of date.
      if (waiting) send({ type: 'skipped', frame: waiting.frame });
      waiting = { frame, bytes, arrivedAt: performance.now() };
      if (!isRunning) void work();
    },
    /** The client's text message. */
    text(text: string): void {
      try {
        const more = readText(text);
        if (more.groups) checkGroups(more.groups);
        if (!asking && missingOf(more.groups ?? []).length === 0) take(more);
        else if (asked < MOST_ASKED) takeLater(more);
        else throw new KaomonError('BUSY', 'Earlier options are still being looked at.', { retryAfter: 1 });
      } catch (error) {
        refuse(error);
      }
    },
    /** After the connection is gone: drops the waiting frame, stops the one in progress and sends nothing more. */
    close(): void {
      isClosed = true;
      waiting = undefined;
      gone.abort();
    },
  };
}

const unknownGroup = (groupid: string) =>
  new KaomonError('GROUP_UNKNOWN', `There is no group "${groupid}".`, { details: { field: 'groups' } });

const tenths = (value: number) => Math.round(value * 10) / 10;

function round(times: Times): Times {
  const entries = Object.entries(times).map(([stage, ms]) => [stage, tenths(ms as number)]);
  return Object.fromEntries(entries) as Times;
}
