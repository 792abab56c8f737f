import type { Answer } from '../logic/faces.js';
import { ApiError, call, currentSession, forgetSession, goToSignIn } from './api.js';
import type { Frame, FrameOptions, FrameTransport, ServerInfo, TransportEvents } from './frame-transport.js';
import { createPostTransport } from './post-transport.js';
import { openStreamTransport } from './stream-transport.js';

export type ConnectionState = 'connecting' | 'open' | 'busy' | 'gone';

interface ConnectionEvents {
  onAnswer: (answer: Answer) => void;
  onState: (state: ConnectionState, kind: FrameTransport['kind'] | undefined) => void;
  onServerInfo: (info: ServerInfo) => void;
  onRefused: (error: ApiError) => void;
}

/** Delays between attempts to reach a server that is gone, milliseconds; the last one repeats. */
const RETRY_DELAYS = [500, 1000, 2000, 4000];

/** Between attempts to open a stream while frames are posted, milliseconds: a proxy or a busy server may allow it later. */
const UPGRADE_AFTER = 20_000;

/** The connection to the server: a WebSocket where one can be opened, single requests elsewhere; it reconnects by itself. */
export function createServerConnection(events: ConnectionEvents) {
  let transport: FrameTransport | undefined;
  let options: FrameOptions = { landmarks: false, quality: false };
  let state: ConnectionState = 'connecting';
  let timer: number | undefined;
  let closed = false;

  function setState(next: ConnectionState): void {
    if (next === state && next !== 'open') return;
    state = next;
    events.onState(next, transport?.kind);
  }

  const transportEvents: TransportEvents = {
    onAnswer(answer) {
      if (state !== 'open') setState('open');
      events.onAnswer(answer);
    },
    onBusy: () => setState('busy'),
    onLost() {
      drop();
      // During a rolling restart the server is back before anybody need know.
      setState('connecting');
      retry(0);
    },
    onRefused: events.onRefused,
  };

  function drop(): void {
    transport?.close();
    transport = undefined;
  }

  function retry(attempt: number): void {
    window.clearTimeout(timer);
    if (closed) return;
    const delay = RETRY_DELAYS[Math.min(attempt, RETRY_DELAYS.length - 1)];
    timer = window.setTimeout(() => void connect(attempt + 1), delay);
  }

  async function connect(attempt = 0): Promise<void> {
    const opened = (await openStreamTransport(transportEvents, events.onServerInfo)) ?? (await openPost());
    if (closed) opened?.close();
    else if (opened) use(opened);
    else retry(attempt);
  }

  function use(opened: FrameTransport): void {
    transport?.close();
    transport = opened;
    transport.setOptions(options);
    setState('open');
    if (opened.kind === 'post') timer = window.setTimeout(() => void upgrade(opened), UPGRADE_AFTER);
  }

  /** Changes from single requests to a stream as soon as one can be opened. */
  async function upgrade(post: FrameTransport): Promise<void> {
    const stream = await openStreamTransport(transportEvents, events.onServerInfo);
    if (closed || transport !== post) stream?.close();
    else if (stream) use(stream);
    else timer = window.setTimeout(() => void upgrade(post), UPGRADE_AFTER);
  }

  /** @returns undefined where the server does not answer; the state then says why */
  async function openPost(): Promise<FrameTransport | undefined> {
    try {
      forgetSession();
      const session = await currentSession();
      if (session.auth === 'key' && !session.signedIn) {
        goToSignIn();
        return undefined;
      }
      events.onServerInfo(await call<ServerInfo>('GET', '/api/v1/health'));
      return createPostTransport(transportEvents);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setState(error.status === 503 ? 'busy' : 'gone');
      return undefined;
    }
  }

  return {
    start: () => void connect(),
    ready: (): boolean => transport?.ready() ?? false,
    send(frame: Frame): void {
      transport?.send(frame);
    },
    setOptions(next: FrameOptions): void {
      options = next;
      transport?.setOptions(next);
    },
    get state(): ConnectionState {
      return state;
    },
    close(): void {
      closed = true;
      window.clearTimeout(timer);
      drop();
    },
  };
}
