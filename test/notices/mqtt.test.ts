import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { connectAsync } from 'mqtt';
import type { Notice } from '../../src/notices/types.js';
import {
  BROKER_PASSWORD,
  BROKER_USER,
  MOSQUITTO_MISSING,
  startBroker,
  type TestBroker,
} from '../support/broker.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { startWorker } from '../support/workers.js';

const VECTOR = [1, 0, 0, 0, 0, 0, 0, 0];

interface Listener {
  /** Payloads by topic, in order. */
  heard: { topic: string; payload: string; retain: boolean }[];
  last(topic: string): string | undefined;
}

/** Follows everything, for as long as the test, as Home Assistant does: the broker keeps for it what comes meanwhile. */
async function listen(t: TestContext, broker: TestBroker, clientId = 'listener'): Promise<Listener> {
  const client = await connectAsync(broker.url, {
    ...{ username: BROKER_USER, password: BROKER_PASSWORD, reconnectPeriod: 20 },
    ...{ clientId, clean: false },
  });
  t.after(() => client.endAsync(true));
  client.on('error', () => undefined);
  const heard: Listener['heard'] = [];
  client.on('message', (topic, payload, { retain }) =>
    heard.push({ topic, payload: payload.toString(), retain }),
  );
  await client.subscribeAsync('#', { qos: 1 });
  return { heard, last: (topic) => heard.findLast((message) => message.topic === topic)?.payload };
}

async function settings(t: TestContext, broker: TestBroker): Promise<Record<string, string>> {
  return {
    EMBEDDINGS_DIR: path.join(await temporaryFolder(t), 'embeddings'),
    ...{ MQTT_URL: broker.url, MQTT_USER: BROKER_USER, MQTT_PASSWORD: BROKER_PASSWORD },
    ...{ MQTT_TOPIC: 'home/kaomon', HOME_ASSISTANT: 'homeassistant' },
  };
}

/** Several machines, as it were: the gallery, its log and how far the broker was told are in Redis. */
async function redisSettings(t: TestContext, broker: TestBroker): Promise<Record<string, string>> {
  const redis = await startRedis(t);
  return {
    ...(await settings(t, broker)),
    ...{ EVENT_LOG: 'redis', EMBEDDING_STORE: 'redis', REDIS_URL: redis.settings.url },
    ...{ REDIS_PASSWORD: redis.settings.password, REDIS_PREFIX: redis.settings.prefix },
  };
}

const told = ({ heard }: Listener): Notice[] => {
  const ids = new Set<string>();
  return heard
    .filter(({ topic }) => topic.startsWith('home/kaomon/notices/'))
    .map(({ payload }) => JSON.parse(payload) as Notice)
    .filter(({ id }) => !ids.has(id) && ids.add(id));
};

describe('notices by MQTT', { skip: MOSQUITTO_MISSING }, () => {
  it('come to whoever subscribes, and as entities to Home Assistant', async (t) => {
    const broker = await startBroker(t);
    const listener = await listen(t, broker);
    const worker = await startWorker(await settings(t, broker));
    t.after(() => worker.kill());
    await until(() => listener.last('home/kaomon/status') === 'online');
    await until(async () => (await worker.ask('notices'))?.receivers.length === 1);
    await worker.ask('enrol', 'default', 'hanako', VECTOR);
    await until(() => listener.last('home/kaomon/gallery/event') !== undefined);
    const [{ type, person }] = told(listener);
    assert.deepEqual([type, person?.faceid], ['enrolled', 'default-hanako']);
    const event = JSON.parse(listener.last('home/kaomon/gallery/event') ?? '') as { event_type: string };
    assert.equal(event.event_type, 'enrolled');
    const config = JSON.parse(
      listener.last('homeassistant/event/home_2fkaomon/gallery/config') ?? '{}',
    ) as Record<string, unknown>;
    assert.equal(config.state_topic, 'home/kaomon/gallery/event');
    assert.equal(config.availability_topic, 'home/kaomon/status');
    assert.ok((config.event_types as string[]).includes('enrolled'));
    // Whoever subscribes later gets no names of people from the broker.
    const later = await listen(t, broker, 'later');
    await until(() => later.last('home/kaomon/status') === 'online');
    assert.ok(!later.heard.some(({ payload }) => payload.includes('hanako')));
    await worker.kill();
    await until(() => listener.last('home/kaomon/status') === 'offline');
  });

  it('wait for a broker that was killed, and come in order', async (t) => {
    const broker = await startBroker(t);
    const worker = await startWorker(await settings(t, broker));
    t.after(() => worker.close());
    await until(async () => (await worker.ask('notices'))?.receivers.length === 1);
    const listener = await listen(t, broker);
    await worker.ask('enrol', 'default', 'p0', VECTOR);
    await until(() => told(listener).length === 1);
    await broker.stop('SIGKILL');
    for (let i = 1; i < 20; i++) await worker.ask('enrol', 'default', `p${i}`, VECTOR);
    await until(async () => (await worker.ask('notices'))?.receivers[0].failing !== null);
    await broker.start();
    await until(() => told(listener).length === 20);
    await until(async () => (await worker.ask('notices'))?.receivers[0].delivered === 20);
    const [first, ...rest] = told(listener).map(({ person }) => person?.userid);
    assert.equal(first, 'p0');
    assert.deepEqual(
      rest,
      Array.from({ length: 19 }, (_, i) => `p${i + 1}`),
    );
  });

  for (const [name, skip, prepare] of [
    ['files', false, settings],
    ['Redis', REDIS_MISSING, redisSettings],
  ] as const) {
    it(
      `come in order, all of them, when the broker and who delivers are killed (${name})`,
      { skip },
      async (t) => {
        const broker = await startBroker(t);
        const env = await prepare(t, broker);
        const first = await startWorker(env);
        t.after(() => first.kill());
        await until(async () => (await first.ask('notices'))?.leads === true);
        await until(async () => (await first.ask('notices'))?.receivers.length === 1);
        const second = await startWorker(env);
        t.after(() => second.close());
        const listener = await listen(t, broker);
        const enrol = (i: number) => second.ask('enrol', 'default', `p${i}`, VECTOR);
        await enrol(0);
        await until(() => told(listener).length === 1);
        await broker.stop('SIGKILL');
        for (let i = 1; i < 10; i++) await enrol(i);
        await until(async () => (await first.ask('notices'))?.receivers[0].failing !== null);
        await first.kill();
        for (let i = 10; i < 20; i++) await enrol(i);
        await broker.start();
        await until(() => told(listener).length === 20);
        assert.deepEqual(
          told(listener).map(({ person }) => person?.userid),
          Array.from({ length: 20 }, (_, i) => `p${i}`),
        );
        assert.equal((await second.ask('notices'))?.leads, true);
      },
    );
  }

  it('are refused by a broker that does not know us, which is said', async (t) => {
    const broker = await startBroker(t);
    const worker = await startWorker({ ...(await settings(t, broker)), MQTT_PASSWORD: 'wrong' });
    t.after(() => worker.close());
    await until(async () => (await worker.ask('notices'))?.receivers.length === 1);
    await worker.ask('enrol', 'default', 'p0', VECTOR);
    const failing = async () => (await worker.ask('notices'))?.receivers[0].failing;
    await until(async () => Boolean(await failing()));
    assert.match((await failing())?.reason ?? '', /not authori[sz]ed/i);
  });
});
