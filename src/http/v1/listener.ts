import { Readable } from 'node:stream';

/**
 * Text for one listener, who may read slowly.
 * @param maxUnread characters: a listener that leaves more than this unread is disconnected
 */
export function createListener(maxUnread: number) {
  // Several feeds may wait at the same time.
  const waiting = new Set<() => void>();
  function drained(): void {
    for (const go of waiting) go();
    waiting.clear();
  }
  let isEnded = false;
  const stream = new Readable({ read: drained });
  stream.once('close', drained);

  return {
    stream,

    send: (text: string): void => {
      if (isEnded || stream.destroyed) return;
      if (stream.readableLength > maxUnread) stream.destroy();
      else stream.push(text);
    },

    /** Nothing follows; what is unread still arrives. */
    end: (): void => {
      isEnded = true;
      stream.push(null);
    },

    /** Resolves when the listener has read, or is gone: what was missed may be more than fits into memory. */
    room: () =>
      new Promise<void>((resolve) => {
        if (stream.destroyed || stream.readableLength < maxUnread / 2) resolve();
        else waiting.add(resolve);
      }),
  };
}
