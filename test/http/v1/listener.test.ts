import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { createListener } from '../../../src/http/v1/listener.js';

const MOST = 100_000;

describe('a listener that reads slowly', () => {
  it(
    'lets every feed go on that waits for it, and all of what they send arrives',
    { timeout: 60_000 },
    async () => {
      const { stream, send, room } = createListener(MOST);
      const sent = { changes: 0, sightings: 0 };
      async function feed(name: keyof typeof sent): Promise<void> {
        for (; sent[name] < 2000; sent[name]++) {
          send(`${name}${'.'.repeat(100)}\n`);
          await room();
        }
      }
      const feeds = Promise.all([feed('changes'), feed('sightings')]);
      let text = '';
      let isOver = false as boolean;
      void feeds.then(() => (isOver = true));
      while (!isOver) {
        // A little at a time: both are waiting by then.
        text += String(stream.read(1000) ?? stream.read() ?? '');
        await new Promise(setImmediate);
      }
      text += String(stream.read() ?? '');
      for (const name of ['changes', 'sightings'])
        assert.equal(text.split(`${name}.`).length - 1, 2000, name);
    },
  );

  it('that is gone keeps nobody waiting', async () => {
    const { stream, send, room } = createListener(MOST);
    send('.'.repeat(MOST));
    const all = [room(), room()];
    stream.destroy();
    await Promise.all(all);
    await room();
  });

  it('gets what was sent before the end, and is not cut off by what comes after', async () => {
    const { stream, send, end } = createListener(MOST);
    send('before');
    end();
    send('after');
    assert.equal(await text(stream), 'before');
  });

  it('is disconnected when it leaves too much unread', async () => {
    const { stream, send } = createListener(MOST);
    const closed = once(stream, 'close');
    for (let i = 0; i < 3; i++) send('.'.repeat(MOST));
    await closed;
    assert.ok(stream.destroyed);
  });
});
