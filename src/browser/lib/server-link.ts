import type { Answer, Thresholds } from '../logic/faces.js';
import { ApiError, call, currentSession, forgetSession, goToSignIn } from './api.js';
import type { Frame, FrameLink, FrameOptions, LinkEvents } from './frame-link.js';
import { createPostLink } from './post-link.js';
import { openStreamLink } from './stream-link.js';

export type LinkState = 'connecting' | 'open' | 'busy' | 'gone';

export interface ServerFacts {
  pack: { id: string; title: string };
  thresholds: Thresholds;
}

export interface ServerLinkEvents {
  onAnswer: (answer: Answer) => void;
  onState: (state: LinkState, way: FrameLink['way'] | undefined) => void;
  onFacts: (facts: ServerFacts) => void;
  onRefused: (error: ApiError) => void;
}

/** Waits between two looks for a server that is gone, milliseconds; the last one goes on. */
const WAITS = [500, 1000, 2000, 4000];

/** Between two looks for a stream while frames go singly, milliseconds: a proxy or a full server may relent. */
const UPGRADE_AFTER = 20_000;

/** The way to the server that is kept up: by WebSocket where it is to be had, and looked for anew when it is lost. */
export type ServerLink = ReturnType<typeof createServerLink>;

export function createServerLink(events: ServerLinkEvents) {
  let link: FrameLink | undefined;
  let options: FrameOptions = { landmarks: false, quality: false };
  let state: LinkState = 'connecting';
  let timer: number | undefined;
  let closed = false;

  function become(next: LinkState): void {
    if (next === state && next !== 'open') return;
    state = next;
    events.onState(next, link?.way);
  }

  const linkEvents: LinkEvents = {
    onAnswer(answer) {
      if (state !== 'open') become('open');
      events.onAnswer(answer);
    },
    onBusy: () => become('busy'),
    onLost() {
      drop();
      // A server that only changes hands is back before anybody need know.
      become('connecting');
      retry(0);
    },
    onRefused: events.onRefused,
  };

  function drop(): void {
    link?.close();
    link = undefined;
  }

  function retry(attempt: number): void {
    window.clearTimeout(timer);
    if (closed) return;
    timer = window.setTimeout(() => void connect(attempt + 1), WAITS[Math.min(attempt, WAITS.length - 1)]);
  }

  async function connect(attempt = 0): Promise<void> {
    const streamed = await openStreamLink(linkEvents, events.onFacts);
    const opened = streamed ?? (await openSingly());
    if (closed) {
      opened?.close();
    } else if (opened) {
      take(opened);
    } else {
      retry(attempt);
    }
  }

  function take(opened: FrameLink): void {
    link?.close();
    link = opened;
    link.setOptions(options);
    become('open');
    if (opened.way === 'post') timer = window.setTimeout(() => void upgrade(opened), UPGRADE_AFTER);
  }

  /** Changes from single requests to a stream that has become available. */
  async function upgrade(single: FrameLink): Promise<void> {
    const streamed = await openStreamLink(linkEvents, events.onFacts);
    if (closed || link !== single) streamed?.close();
    else if (streamed) take(streamed);
    else timer = window.setTimeout(() => void upgrade(single), UPGRADE_AFTER);
  }

  /** @returns single requests where the server answers them; tells why where it does not */
  async function openSingly(): Promise<FrameLink | undefined> {
    try {
      forgetSession();
      const session = await currentSession();
      if (session.auth === 'key' && !session.signedIn) {
        goToSignIn();
        return undefined;
      }
      events.onFacts(await call<ServerFacts>('GET', '/api/v1/health'));
      return createPostLink(linkEvents);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      become(error.status === 503 ? 'busy' : 'gone');
      return undefined;
    }
  }

  return {
    start: () => void connect(),
    ready: (): boolean => link?.ready() ?? false,
    send(frame: Frame): void {
      link?.send(frame);
    },
    setOptions(next: FrameOptions): void {
      options = next;
      link?.setOptions(next);
    },
    get state(): LinkState {
      return state;
    },
    close(): void {
      closed = true;
      window.clearTimeout(timer);
      drop();
    },
  };
}
