import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createHomeAssistant, type Message } from '../../src/notices/home-assistant.js';
import type { Notice, NoticeType } from '../../src/notices/types.js';

const AT = '2026-01-31T09:00:00.000Z';
const visit = (type: NoticeType, present: number, deviceid = 'door.1:a'): Notice => ({
  ...{ id: 'n1', type, at: AT, deviceid, sighting: 12, present },
  person: { faceid: 'staff-hanako', groupid: 'staff', userid: 'hanako', username: '山田 花子' },
});
const open = () => createHomeAssistant({ topic: 'home/kaomon', prefix: 'homeassistant' });
const isConfig = ({ topic }: Message) => topic.endsWith('/config');

describe('what Home Assistant is told', () => {
  it('is a camera’s event and whether somebody is there, announced once', () => {
    const assistant = open();
    const arrived = assistant.messagesOf(visit('arrived', 1));
    const configs = arrived.filter(isConfig);
    assert.deepEqual(
      configs.map(({ topic }) => topic),
      [
        'homeassistant/event/home_2fkaomon/camera_door_2e1_3aa/config',
        'homeassistant/binary_sensor/home_2fkaomon/camera_door_2e1_3aa_occupied/config',
      ],
    );
    const [event, sensor] = configs.map(({ payload }) => JSON.parse(payload) as Record<string, string>);
    const [told, occupied] = arrived.slice(2);
    assert.deepEqual([told.topic, occupied.topic], [event.state_topic, sensor.state_topic]);
    const { event_type, person } = JSON.parse(told.payload) as { event_type: string } & Notice;
    assert.deepEqual([event_type, person?.username], ['arrived', '山田 花子']);
    assert.equal(occupied.payload, 'ON');
    const left = assistant.messagesOf(visit('left', 0));
    assert.deepEqual(
      left.map(({ payload, retain }) => [retain, retain && payload]),
      [
        [false, false],
        [true, 'OFF'],
      ],
    );
    // The second of two people stays.
    assert.equal(assistant.messagesOf(visit('left', 1)).at(-1)?.payload, 'ON');
    assistant.announceAgain();
    assert.equal(assistant.messagesOf(visit('left', 0)).filter(isConfig).length, 2);
  });

  it('holds no name in what a broker keeps', () => {
    const kept = (['arrived', 'left', 'unknown', 'enrolled', 'deleted', 'missed'] as const)
      .flatMap((type) => open().messagesOf(visit(type, 1)))
      .filter(({ retain }) => retain);
    assert.ok(kept.length > 0);
    for (const { payload } of kept) assert.ok(!/hanako|花子/.test(payload), payload);
  });

  it('takes cameras whose names differ in one letter for two, and none for a place of its own', () => {
    const topics = ['a.b', 'a:b', 'a_b', ''].flatMap((deviceid) =>
      open()
        .messagesOf(visit('arrived', 1, deviceid))
        .map(({ topic }) => topic),
    );
    assert.equal(new Set(topics).size, topics.length);
  });

  it('is that nobody is there any more, when somebody’s leaving may have been missed', () => {
    const assistant = open();
    assistant.messagesOf(visit('arrived', 1));
    const missed = assistant.messagesOf({ id: 'm', type: 'missed', at: AT, count: 3 });
    assert.deepEqual(
      missed.map(({ payload }) => payload),
      ['OFF'],
    );
    assert.deepEqual(assistant.messagesOf({ id: 't', type: 'test', at: AT }), []);
  });
});
