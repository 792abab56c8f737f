/**
 * A worker of two without networks: the app over a scripted vision, with one person enrolled. Its parent sends
 * `{id, url}` and gets `{id, status, body}`; at `{id, end: true}` it closes the app and ends.
 */
import { testApp } from './app.js';

const [, , CACHE_DIR] = process.argv;
process.on('disconnect', () => process.exit(0));
const { app, gallery } = await testApp({ after: () => undefined }, { WORKERS: 2, CACHE_DIR });
await gallery.enrol({ groupid: 'default', userid: 'ken' }, Float32Array.of(1, 0, 0, 0));

process.on('message', ({ id, url, end }: { id: number; url?: string; end?: true }) => {
  void (async () => {
    if (url !== undefined) {
      const { statusCode, body } = await app.inject(url);
      process.send?.({ id, status: statusCode, body });
    }
    if (!end) return;
    await app.close();
    process.send?.({ id, status: 200, body: '' }, undefined, undefined, () => process.disconnect());
  })();
});
process.send?.({ id: -1, status: 200, body: 'ready' });
