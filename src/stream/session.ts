import { KaomonError, toPlainError } from '../platform/errors.js';
import { checkGroupId } from '../gallery/ids.js';
import type { Gallery } from '../gallery/types.js';
import type { Decision } from '../identity/decision.js';
import { tellOdds } from '../identity/odds.js';
import { currentIn, type Identifier, type Times } from '../identity/identify.js';
import type { VisionPool } from '../vision/types.js';
import { readText, type ServerMessage, type StreamFace, type StreamOptions } from './protocol.js';
import { type Track, Tracks } from './tracks.js';

export interface SessionDeps {
  vision: Pick<VisionPool, 'analyze'>;
  identifier: Pick<Identifier, 'identify'>;
  gallery: Pick<Gallery, 'groups' | 'current'>;
  decision: Pick<Decision, 'sure' | 'odds' | 'pair' | 'meaning'>;
  /** Largest frame, bytes. */
  maxFrameBytes: number;
  /** Shorter side of the smallest face to look for, pixels, until the client says another. */
  minFaceSize: number;
  /** The groups that the client may see; undefined: all. */
  groups: ReadonlySet<string> | undefined;
  /** What its pictures are counted by (see TaskQueue). */
  caller?: string;
  send: (message: ServerMessage) => void;
  /** Told of faults of ours, which the client does not get to read. */
  onFault: (error: unknown) => void;
  /** Milliseconds that only go forward, for tests. */
  now?: () => number;
}

/** One connection's frames: one is worked on at a time, the newest of the others waits. */
export type StreamSession = ReturnType<typeof createStreamSession>;

interface Frame {
  frame: number;
  bytes: Uint8Array;
  arrivedAt: number;
}

/**
 * Only one frame of a connection is ever in the vision threads' queue, and that queue is first come, first served: so
 * connections take turns, however many frames each sends.
 */
export function createStreamSession(deps: SessionDeps) {
  const { vision, identifier, gallery, decision, send, now = () => performance.now() } = deps;
  const tracks = new Tracks(decision.pair());
  let told = decision.meaning(deps.groups);
  let options: StreamOptions = {};
  /** Groups that were asked for and have gone since. */
  let missing: string[] = [];
  let count = 0;
  let isRunning = false;
  let waiting: Frame | undefined;
  let isClosed = false;
  const gone = new AbortController();
  /** Of the frame that is worked on. */
  let running = 0;

  /** A client narrows the groups that its key allows, and cannot widen them. */
  function groups(): ReadonlySet<string> | undefined {
    if (options.groups === undefined) return deps.groups;
    const { groups: allowed } = deps;
    return new Set(options.groups.filter((groupid) => allowed === undefined || allowed.has(groupid)));
  }

  /** @throws KaomonError GROUPID_INVALID, FORBIDDEN, GROUP_UNKNOWN */
  function checkGroups(ids: readonly string[]): void {
    for (const id of ids) {
      checkGroupId(id);
      if (deps.groups && !deps.groups.has(id))
        throw new KaomonError('FORBIDDEN', `This key is not for the group "${id}".`);
    }
    const first = missingOf(ids).at(0);
    if (first !== undefined) throw unknownGroup(first);
  }

  /** Which of these groups are not there. */
  function missingOf(ids: readonly string[]): string[] {
    if (ids.length === 0) return [];
    const known = new Set(gallery.groups().map(({ groupid }) => groupid));
    return ids.filter((id) => !known.has(id));
  }

  /** A group that is asked for may be deleted later: its people are named no more, and the client is told why, once. */
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
      ...(frame !== undefined && { frame }),
      code,
      message: code === 'INTERNAL' ? 'The server failed on this frame: its log has the reason.' : message,
      ...(retryAfter !== undefined && { retryAfter }),
    });
  }

  async function work(): Promise<void> {
    isRunning = true;
    for (let next = take(); next; next = take()) {
      const { frame } = next;
      running = next.bytes.length;
      try {
        const answer = await recognise(next);
        if (!isClosed) send(answer);
      } catch (error) {
        refuse(error, frame);
      }
    }
    isRunning = false;
    running = 0;
  }

  function take(): Frame | undefined {
    const frame = waiting;
    waiting = undefined;
    return frame;
  }

  async function recognise({ frame, bytes, arrivedAt }: Frame): Promise<ServerMessage> {
    const waited = performance.now() - arrivedAt;
    const plan = tracks.plan(now(), options.track);
    const analysis = await vision.analyze(bytes, {
      caller: deps.caller,
      signal: gone.signal,
      minFaceSize: options.minFaceSize ?? deps.minFaceSize,
      quality: options.quality,
      track: { faces: plan.faces, search: plan.search, closeUps: plan.closeUps },
    });
    const { width, height, leftOut, times } = analysis;
    const searchedAt = performance.now();
    tellMissing();
    const within = groups();
    let answer: StreamFace[] = [];
    await identifier.identify(analysis.faces, {
      groups: within,
      signal: gone.signal,
      settle(faces, identical) {
        tellThresholds(identical, within);
        tracks.refresh(currentIn(gallery, within));
        const nearest = faces.map(({ candidates }) => candidates.at(0));
        const found = tracks.update(plan, analysis, nearest, { now: now(), identical });
        answer = found.map((track) => describe(track, within));
        return found.map(({ match }) => ({
          match: match && { ...match, odds: decision.odds(match.distance, within) },
        }));
      },
    });
    const all: Times = { ...times, queue: times.queue + waited, search: performance.now() - searchedAt };
    return {
      type: 'frame',
      frame,
      width,
      height,
      full: plan.search,
      faces: answer,
      leftOut,
      times: round(all),
    };
  }

  /** Says what holds from this frame on, when it is not what was said last. */
  function tellThresholds(identical: number, within: ReadonlySet<string> | undefined): void {
    if (isClosed || (identical === told.identical && decision.sure(within) === told.sure)) return;
    told = decision.meaning(within);
    send({ type: 'thresholds', thresholds: told });
  }

  function describe(
    { id, face, match, nearest, unfit }: Track,
    within: ReadonlySet<string> | undefined,
  ): StreamFace {
    const { box, probability, landmarks } = face;
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
      distance: distance && Math.max(0, distance),
      sure: person !== undefined && distance !== null && distance < decision.sure(within),
      ...tellOdds(distance === null ? undefined : decision.odds(distance, within)),
      ...(options.landmarks && landmarks && { landmarks: Array.from(landmarks, tenths) }),
      ...((options.quality === true || reason !== undefined) && quality && { quality }),
      ...(reason && { reason }),
    };
  }

  return {
    /** Bytes of the frames that are here: one that is worked on, one that waits. */
    held: () => running + (waiting?.bytes.length ?? 0),

    /** The client's next frame. @param bytes an encoded picture; handed over */
    frame(bytes: Uint8Array): void {
      const frame = count++;
      if (isClosed) return;
      if (bytes.length > deps.maxFrameBytes) {
        const { maxFrameBytes } = deps;
        const message = `A frame has at most ${maxFrameBytes} bytes: send a smaller picture.`;
        refuse(new KaomonError('UPLOAD_TOO_LARGE', message, { details: { maxBytes: maxFrameBytes } }), frame);
        return;
      }
      // The newest frame wins: what waited is out of date and is not worked on.
      if (waiting) send({ type: 'skipped', frame: waiting.frame });
      waiting = { frame, bytes, arrivedAt: performance.now() };
      if (!isRunning) void work();
    },
    /** The client's text message. */
    text(text: string): void {
      try {
        const more = readText(text);
        if (more.groups) checkGroups(more.groups);
        options = { ...options, ...more };
        if (more.groups) tracks.doubtAll();
      } catch (error) {
        refuse(error);
      }
    },
    /** The connection is gone: nothing more is sent, what waits is dropped and what runs ends at its stage. */
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
