/** Signatures as Standard Webhooks 1.0 has them (standardwebhooks.com), so that its libraries verify them. */
import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/** The keys of `WEBHOOK_SECRET`: several while one is replaced by another. */
export function readSecrets(text: string): Buffer[] {
  return text
    .split(',')
    .filter(Boolean)
    .map((secret) => Buffer.from(secret.slice(PREFIX.length), 'base64'));
}

/**
 * The header `webhook-signature`: HMAC-SHA256 of ID, time and body with each key.
 * @param time seconds since 1970
 */
export function signatureOf(keys: readonly Buffer[], id: string, time: number, body: string): string {
  return keys
    .map((key) => `v1,${createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64')}`)
    .join(' ');
}
