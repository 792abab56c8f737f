import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ServerMessage } from '../../src/stream/protocol.js';
import { createStreamSession, type SessionDeps } from '../../src/stream/session.js';
import type { Analysis, EmptyScene } from '../../src/vision/types.js';

const EMPTY: EmptyScene = { width: 640, height: 360, scene: new Uint8Array(), coefficients: undefined };

/** A camera that shows nobody. @returns sends a frame: whether it was searched though nothing moves */
function emptyRoom() {
  let told: (message: ServerMessage) => void = () => undefined;
  const vision: SessionDeps['vision'] = {
    analyze: (_bytes, { track } = {}): Promise<Analysis> => {
      const searched = track?.quiet === undefined;
      const times = { queue: 0, decode: 0, detect: 0, embed: 0 };
      return Promise.resolve({
        ...{ width: 640, height: 360, faces: [], times, searched },
        ...(searched && { empty: EMPTY }),
      });
    },
  };
  const identify = (_faces: unknown, { settle }: { settle: (faces: [], identical: number) => unknown }) =>
    Promise.resolve(settle([], 1));
  const meaning = () => ({ identical: 1, sure: 1 });
  const session = createStreamSession({
    vision,
    identifier: { admit: () => undefined, identify, wantsPictures: false } as never,
    decision: { sure: () => 1, odds: () => undefined, pair: () => 1, meaning } as never,
    gallery: {
      group: () => Promise.resolve(undefined),
      groups: () => [],
      current: () => undefined,
      ruledOut: () => undefined,
    },
    ...{ maxFrameBytes: 1000, minFaceSize: 40, quietSearch: 60_000, groups: undefined },
    send: (message) => told(message),
    onFault: (error) => assert.fail(String(error)),
    now: () => 0,
  });
  const isSearched = async () => {
    const answer = await new Promise<ServerMessage>((resolve) => {
      told = resolve;
      session.frame(new Uint8Array(1));
    });
    assert.equal(answer.type, 'frame', JSON.stringify(answer));
    return answer.full;
  };
  return { session, isSearched };
}

it('a still scene is searched again when the client wants smaller faces: nobody was there by the size of before', async () => {
  const { session, isSearched } = emptyRoom();
  assert.deepEqual([await isSearched(), await isSearched()], [true, false]);
  session.text(JSON.stringify({ type: 'options', minFaceSize: 20 }));
  assert.deepEqual([await isSearched(), await isSearched()], [true, false]);
  session.text(JSON.stringify({ type: 'options', minFaceSize: 20, landmarks: true }));
  assert.equal(await isSearched(), false);
});
