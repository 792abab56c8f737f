/** What Home Assistant is told, so that it makes entities by itself (its MQTT discovery). */
import { VERSION } from '../platform/version.js';
import { CHANGE_NAMES, type Notice, VISIT_NAMES } from './types.js';

/** A message to the broker. */
export interface Message {
  topic: string;
  payload: string;
  /** The broker gives it to whoever subscribes later; of what holds no names alone. */
  retain: boolean;
}

export interface HomeAssistantOptions {
  /** Begins our own topics. */
  topic: string;
  /** Begins those of the discovery. */
  prefix: string;
}

const VISITS: ReadonlySet<string> = new Set(VISIT_NAMES);

/**
 * Makes the messages that belong to a notice: for each camera an event and whether somebody is there, and an event for
 * the people who are enrolled.
 */
export function createHomeAssistant({ topic, prefix }: HomeAssistantOptions) {
  const node = idOf(topic);
  const device = { identifiers: [node], name: 'Kaomon', manufacturer: 'Kaomon', sw_version: VERSION };
  const shared = { device, availability_topic: `${topic}/status`, qos: 1 };
  const announced = new Set<string>();
  /** The cameras that somebody known is at, as the broker was told last. */
  const occupied = new Set<string>();

  function config(component: string, object: string, more: object): Message {
    const payload = JSON.stringify({ unique_id: `${node}_${object}`, ...shared, ...more });
    return { topic: `${prefix}/${component}/${node}/${object}/config`, payload, retain: true };
  }

  function announceOnce(object: string, make: () => Message[]): Message[] {
    if (announced.has(object)) return [];
    announced.add(object);
    return make();
  }

  const occupation = (deviceid: string): Message => ({
    topic: `${placeOf(deviceid)}/occupied`,
    payload: occupied.has(deviceid) ? 'ON' : 'OFF',
    retain: true,
  });

  function placeOf(deviceid: string): string {
    return `${topic}/cameras/${deviceid === '' ? 'none' : deviceid}`;
  }

  function ofVisit(notice: Notice): Message[] {
    const { deviceid = '', type, present = Number(type === 'arrived') } = notice;
    const name = deviceid === '' ? 'Camera' : deviceid;
    if (present > 0) occupied.add(deviceid);
    else occupied.delete(deviceid);
    const object = `camera_${idOf(deviceid)}`;
    const known = announceOnce(object, () => [
      config('event', object, {
        ...{ name, state_topic: `${placeOf(deviceid)}/event`, event_types: VISIT_NAMES },
        icon: 'mdi:face-recognition',
      }),
      config('binary_sensor', `${object}_occupied`, {
        ...{ name: `${name} occupied`, state_topic: `${placeOf(deviceid)}/occupied` },
        device_class: 'occupancy',
      }),
    ]);
    const payload = JSON.stringify({ event_type: type, ...notice });
    return [...known, { topic: `${placeOf(deviceid)}/event`, payload, retain: false }, occupation(deviceid)];
  }

  function ofGallery(notice: Notice): Message[] {
    const known = announceOnce('gallery', () => [
      config('event', 'gallery', {
        ...{ name: 'Gallery', state_topic: `${topic}/gallery/event` },
        ...{ event_types: Object.values(CHANGE_NAMES), icon: 'mdi:account-box-multiple' },
      }),
    ]);
    const payload = JSON.stringify({ event_type: notice.type, ...notice });
    return [...known, { topic: `${topic}/gallery/event`, payload, retain: false }];
  }

  return {
    /** Entities are announced again: the broker may have lost what it kept. */
    announceAgain: () => announced.clear(),
    /** In the order to be sent. */
    messagesOf(notice: Notice): Message[] {
      if (notice.type === 'test') return [];
      if (VISITS.has(notice.type)) return ofVisit(notice);
      if (notice.type !== 'missed') return ofGallery(notice);
      // Somebody's leaving may be among what was missed.
      const cameras = [...occupied];
      occupied.clear();
      return cameras.map(occupation);
    },
  };
}

/** An ID in letters that Home Assistant takes; different for different texts. */
function idOf(text: string): string {
  return text === ''
    ? 'none'
    : text.replace(/[^0-9A-Za-z-]/g, (letter) => `_${letter.charCodeAt(0).toString(16)}`);
}
