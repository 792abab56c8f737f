import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import { onAbort } from '../platform/abort.js';
import { quietMessage } from '../platform/quiet-error.js';
import { createHomeAssistant, type Message } from './home-assistant.js';
import { DeliveryError, type Receiver } from './types.js';

/** For a connection, and for the broker's answer to a message, milliseconds. */
const TIMEOUT = 10_000;
/** Between two attempts to connect while nothing is to be sent, milliseconds. */
const AGAIN = 5000;
/** The broker is asked whether it lives when nothing else was sent for so long, seconds. */
const KEEP_ALIVE = 30;
/** How often it is told that this server is online: the will of a predecessor may come late, milliseconds. */
const ONLINE_EVERY = 30_000;
/** How long saying goodbye may take, milliseconds. */
const FAREWELL = 1000;

export interface MqttOptions {
  id: string;
  url: string;
  user: string;
  password: string;
  /** PEM of the authority that signed the broker's certificate; undefined: the public ones. */
  ca: string | undefined;
  topic: string;
  /** Home Assistant's prefix; empty: it is told nothing. */
  homeAssistant: string;
  /** Says whether this server is online, and keeps its connection. */
  isKept: boolean;
  timeout?: number;
}

/** A broker as a receiver. Every message is acknowledged by the broker before the next (QoS 1). */
export function createMqtt(options: MqttOptions): Receiver {
  const { id, url, user, password, ca, topic, homeAssistant, isKept, timeout = TIMEOUT } = options;
  const status = `${topic}/status`;
  const assistant = createHomeAssistant({ topic, prefix: homeAssistant });
  let current: MqttClient | undefined;
  let connecting: Promise<MqttClient> | undefined;
  let isClosed = false;
  let again: NodeJS.Timeout | undefined;
  let online: NodeJS.Timeout | undefined;

  /** @throws DeliveryError */
  async function open(): Promise<MqttClient> {
    const { connectAsync } = await import('mqtt');
    const client = await connectAsync(
      url,
      {
        ...(user && { username: user }),
        ...(password && { password }),
        ...(ca && { ca }),
        protocolVersion: 5,
        clientId: `kaomon-${id}-${randomBytes(4).toString('hex')}`,
        clean: true,
        keepalive: KEEP_ALIVE,
        connectTimeout: timeout,
        // A broken connection is left for good: what was on its way is sent again by the one who waits for it.
        reconnectPeriod: 0,
        ...(isKept && { will: { topic: status, payload: Buffer.from('offline'), qos: 1, retain: true } }),
      },
      false,
    ).catch((error: unknown) => {
      const { code } = error as { code?: unknown };
      const reason = typeof code === 'string' ? code : quietMessage(error);
      throw new DeliveryError(`cannot be reached (${reason})`);
    });
    // Whoever waits for an answer hears of the end.
    client.on('error', () => undefined);
    client.once('close', () => {
      if (current !== client) return;
      current = undefined;
      clearInterval(online);
      keep();
    });
    if (isClosed) {
      client.end(true);
      throw new DeliveryError('is not needed any more');
    }
    current = client;
    assistant.announceAgain();
    if (isKept) {
      await tellOnline(client);
      online = setInterval(() => void tellOnline(client).catch(() => undefined), ONLINE_EVERY);
    }
    return client;
  }

  const tellOnline = (client: MqttClient) =>
    publish(client, { topic: status, payload: 'online', retain: true }, timeout);

  function connect(): Promise<MqttClient> {
    if (current?.connected) return Promise.resolve(current);
    connecting ??= open().finally(() => {
      connecting = undefined;
    });
    return connecting;
  }

  /** Connects again by itself. */
  function keep(): void {
    clearTimeout(again);
    if (isClosed || !isKept) return;
    connect().catch(() => {
      again = setTimeout(keep, AGAIN);
    });
  }

  keep();
  return {
    id,
    name: url,

    async deliver(notice, signal) {
      const client = await connect();
      signal.throwIfAborted();
      const payload = JSON.stringify(notice);
      const own: Message = { topic: `${topic}/notices/${notice.type}`, payload, retain: false };
      const more = homeAssistant ? assistant.messagesOf(notice) : [];
      // In this order: one that is broken off is sent whole again.
      for (const message of [own, ...more]) await publish(client, message, timeout, signal);
    },

    async close() {
      isClosed = true;
      clearTimeout(again);
      clearInterval(online);
      const client = current;
      if (!client) {
        await connecting?.catch(() => undefined);
        return;
      }
      if (isKept)
        await publish(client, { topic: status, payload: 'offline', retain: true }, FAREWELL).catch(
          () => undefined,
        );
      await client.endAsync(true).catch(() => undefined);
    },
  };
}

/** Resolves when the broker has the message. @throws DeliveryError */
async function publish(
  client: MqttClient,
  { topic, payload, retain }: Message,
  timeout: number,
  signal?: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const settle = (error?: DeliveryError) => {
      clearTimeout(timer);
      client.off('close', cut);
      stopListening();
      if (error) reject(error);
      else resolve();
    };
    const cut = () => settle(new DeliveryError('has broken the connection off'));
    const stopListening = onAbort(signal, () => settle(new DeliveryError('is not waited for any more')));
    const timer = setTimeout(() => {
      settle(new DeliveryError(`does not answer within ${timeout} ms`));
      client.end(true);
    }, timeout);
    client.once('close', cut);
    client.publish(topic, payload, { qos: 1, retain }, (error) =>
      settle(error ? new DeliveryError(`does not take it (${quietMessage(error)})`) : undefined),
    );
  });
}
