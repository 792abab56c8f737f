import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { face, PACK, testApp } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';

describe('the figures', () => {
  it('tell of the stages of a picture and of the answers, by route and status', async (t) => {
    const { app, vision, gallery } = await testApp(t, { WORKERS: 3 });
    await gallery.enrol({ groupid: 'default', userid: 'ken' }, Float32Array.of(1, 0, 0, 0));
    vision.faces = [face()];
    const { headers, payload } = await form(['image', await greyJpeg()]);
    const posted = { method: 'POST', url: '/api/face_recognizer', headers, payload } as const;
    assert.equal((await app.inject(posted)).statusCode, 200);
    await app.inject('/api/v1/no/such/address');

    const status = (await app.inject('/api/v1/status')).json<{
      stages: Record<string, { count: number; p50: number }>;
      [key: string]: unknown;
    }>();
    assert.deepEqual(status.stages.detect, { count: 1, p50: 2, p95: 2 });
    assert.equal(status.stages.search.count, 1);
    assert.deepEqual([status.workers, status.pid, status.pack], [3, process.pid, 'tiny']);

    const answer = await app.inject('/metrics');
    assert.match(String(answer.headers['content-type']), /^text\/plain; version=/);
    for (const line of [
      'kaomon_requests_total{method="POST",route="/api/face_recognizer",status="200"} 1',
      'kaomon_stage_duration_seconds_count{stage="embed"} 1',
      'kaomon_gallery_people 1',
      'kaomon_vision_queue_length 0',
      'kaomon_vision_thread_deaths_total 0',
    ]) {
      assert.ok(answer.body.includes(line), `${line}\n${answer.body}`);
    }
    assert.match(answer.body, /process_cpu_seconds_total|nodejs_eventloop_lag_p99_seconds/);
    assert.ok(!answer.body.includes('such/address'), 'no path of a caller’s becomes a label');
  });

  it('tell of a better pack, where people are enrolled with another', async (t) => {
    const offer = {
      ...{ pack: 'mtcnn+fr', title: 'MTCNN + fr_feature' },
      command: 'npm run reembed -- --from tiny --to mtcnn+fr',
    };
    const { app } = await testApp(t, {}, { pack: { ...PACK, offer } });
    assert.deepEqual((await app.inject('/api/v1/status')).json<{ offer: unknown }>().offer, offer);
    const { app: without } = await testApp(t);
    assert.ok(!('offer' in (await without.inject('/api/v1/status')).json<object>()));
  });

  it('are read by the token of the metrics, which opens nothing else', async (t) => {
    const METRICS_TOKEN = 'a-token-of-32-letters-for-metrics';
    const { app } = await testApp(t, { AUTH: 'key', METRICS_TOKEN });
    const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
    assert.equal((await app.inject('/metrics')).statusCode, 401);
    assert.equal((await app.inject({ url: '/metrics', headers })).statusCode, 200);
    assert.equal((await app.inject({ url: '/api/v1/status', headers })).statusCode, 401);
  });

  it('say to everybody whether the process lives and is ready', async (t) => {
    const { app, vision, gallery } = await testApp(t, { AUTH: 'key' });
    const info = gallery.info();
    assert.deepEqual((await app.inject('/api/v1/live')).json(), { status: 'ok' });
    assert.equal((await app.inject('/api/v1/ready')).statusCode, 200);
    t.mock.method(gallery, 'info', () => ({ ...info, obstacle: 'milvus away' as const }));
    const away = await app.inject('/api/v1/ready');
    assert.deepEqual([away.statusCode, away.json<{ status: string }>().status], [503, 'unavailable']);
    assert.match(away.body, /Milvus, in which faces are searched, does not answer/);
    t.mock.restoreAll();
    assert.equal((await app.inject('/api/v1/ready')).statusCode, 200);
    vision.state = { ...vision.state, threads: 0 };
    assert.equal((await app.inject('/api/v1/ready')).statusCode, 503);
    assert.equal((await app.inject('/api/v1/live')).statusCode, 200);
  });

  it('come with a self-test that runs the networks, ten times a minute at most', async (t) => {
    const { app, vision } = await testApp(t);
    const ask = () => app.inject('/api/v1/selftest');
    const answer = await ask();
    assert.equal(answer.statusCode, 200, answer.body);
    assert.deepEqual(answer.json<{ width: number }>().width, 320);
    assert.equal(vision.asked.length, 1);
    for (let n = 1; n < 10; n += 1) assert.equal((await ask()).statusCode, 200);
    assert.equal((await ask()).statusCode, 429);
  });
});
