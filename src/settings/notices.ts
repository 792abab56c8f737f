import { Type } from 'typebox';
import { KaomonError } from '../platform/errors.js';

const TYPES =
  /^(?:arrived|left|unknown|created|enrolled|updated|moved|merged|deleted|face-deleted|group-(?:created|updated|deleted))(?:,(?:arrived|left|unknown|created|enrolled|updated|moved|merged|deleted|face-deleted|group-(?:created|updated|deleted)))*$/;

/** Who is told what happens (docs/notices.md). */
export const NOTICE_SETTINGS = {
  NOTICE_TYPES: Type.String({
    default: 'arrived,left,unknown,created,enrolled,moved,merged,deleted',
    pattern: TYPES.source,
    description:
      'What web hooks and MQTT are told of, separated by commas; besides these there are `updated`, `face-deleted`, `group-created`, `group-updated`, `group-deleted`.',
  }),
  WEBHOOKS: Type.String({
    default: '',
    pattern: /^(?:https?:\/\/[^,\s]+(?:,https?:\/\/[^,\s]+)*)?$/.source,
    description: 'Addresses that notices are sent to, separated by commas (docs/notices.md). Empty: none.',
  }),
  WEBHOOK_SECRET: Type.String({
    default: '',
    pattern: /^(?:whsec_[0-9A-Za-z+/]{32,88}={0,2}(?:,whsec_[0-9A-Za-z+/]{32,88}={0,2})*)?$/.source,
    description:
      'With `WEBHOOKS`: what notices are signed with, `whsec_` and 24 to 64 bytes in base64. Two, separated by a comma, while one replaces the other.',
  }),
  WEBHOOK_PRIVATE: Type.Boolean({
    default: false,
    description:
      'Allow web hooks in networks of the server’s own, also by `http:`. Others are reached by `https:` alone.',
  }),
  WEBHOOK_CA: Type.String({
    default: '',
    description:
      'Certificate file (PEM) of the authority that signed those of the web hooks. Empty: the public ones.',
  }),
  MQTT_URL: Type.String({
    default: '',
    pattern: /^(?:mqtts?:\/\/[^/@\s]+)?$/.source,
    description:
      'MQTT broker that notices are published to: `mqtt://host:1883`, `mqtts://` with TLS. Empty: none.',
  }),
  MQTT_USER: Type.String({ default: '', description: 'Name for the broker.' }),
  MQTT_PASSWORD: Type.String({ default: '', description: 'Password for the broker.' }),
  MQTT_CA: Type.String({
    default: '',
    description: 'Certificate file (PEM) of the authority that signed the broker’s. Empty: the public ones.',
  }),
  MQTT_TOPIC: Type.String({
    default: 'kaomon',
    pattern: /^[0-9A-Za-z_.-]{1,64}(?:\/[0-9A-Za-z_.-]{1,64}){0,7}$/.source,
    description: 'Begins every topic; installations that share a broker need different ones.',
  }),
  HOME_ASSISTANT: Type.String({
    default: '',
    pattern: /^(?:[0-9A-Za-z_-]{1,64}(?:\/[0-9A-Za-z_-]{1,64}){0,7})?$/.source,
    description:
      'With `MQTT_URL`: the prefix by which Home Assistant discovers devices, usually `homeassistant`. Empty: it is told of none.',
  }),
};

/** The settings that go together. @throws KaomonError SETUP */
export function refuseUntold(settings: {
  WEBHOOKS: string;
  WEBHOOK_SECRET: string;
  MQTT_URL: string;
  EVENT_LOG: string;
}): void {
  const { WEBHOOKS, WEBHOOK_SECRET, MQTT_URL, EVENT_LOG } = settings;
  if (WEBHOOKS && !WEBHOOK_SECRET) {
    throw new KaomonError(
      'SETUP',
      'WEBHOOKS needs WEBHOOK_SECRET, by which receivers know who sends: make one with echo "whsec_$(openssl rand -base64 32)".',
    );
  }
  if (WEBHOOKS.split(',').some((url) => url !== '' && !isUsable(url))) {
    throw new KaomonError(
      'SETUP',
      'WEBHOOKS has an address that is not usable: it looks like https://host/path, without a name or password.',
    );
  }
  if ((WEBHOOKS || MQTT_URL) && EVENT_LOG === 'none') {
    throw new KaomonError(
      'SETUP',
      'WEBHOOKS and MQTT_URL need an event log, from which notices are sent again: set EVENT_LOG=file or redis.',
    );
  }
}

function isUsable(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}
