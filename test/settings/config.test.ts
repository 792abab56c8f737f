import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fetchSettings, loadConfig } from '../../src/settings/config.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';

describe('settings', () => {
  it('have defaults that serve HTTPS on 8443 with absolute folders', () => {
    const config = loadConfig({});
    assert.equal(config.PORT, 8443);
    assert.equal(config.TLS, true);
    assert.equal(config.EMBEDDINGS_DIR, path.join(PROJECT_ROOT, 'embeddings'));
    assert.equal(config.IDENTICAL_DISTANCE, undefined);
  });

  it('are read from text', () => {
    const config = loadConfig({
      PORT: '9000',
      TLS: 'false',
      IDENTICAL_DISTANCE: '0.3',
      MODEL_PACK: 'mtcnn+faceapi',
    });
    assert.equal(config.PORT, 9000);
    assert.equal(config.TLS, false);
    assert.equal(config.IDENTICAL_DISTANCE, 0.3);
    assert.equal(config.MODEL_PACK, 'mtcnn+faceapi');
  });

  it('count an empty value as unset and ignore what is not a setting', () => {
    assert.equal(loadConfig({ PORT: '', NO_SUCH_SETTING: 'x' }).PORT, 8443);
  });

  it('do not repeat what is secret when it is refused', () => {
    for (const [name, value] of [
      ['METRICS_TOKEN', 'hush hush hush hush'],
      ['REDIS_URL', 'http://:hush@127.0.0.1'],
      ['WEBHOOKS', 'ftp://hooks.example/hush'],
      ['WEBHOOKS', 'https://name:hush@hooks.example/'],
      ['WEBHOOK_SECRET', 'hush'],
    ]) {
      assert.throws(
        () => loadConfig({ [name]: value }),
        ({ message }: Error) => message.includes(name) && !message.includes('hush'),
      );
    }
  });

  it('read the proxy from the usual variables, in capital or in small letters', () => {
    const small = loadConfig({ https_proxy: 'http://proxy:3128', no_proxy: 'a.lan,b.lan', HTTPS_PROXY: '' });
    assert.deepEqual(fetchSettings(small).proxy, {
      https: 'http://proxy:3128',
      http: '',
      except: 'a.lan,b.lan',
    });
    const both = loadConfig({ https_proxy: 'http://small', HTTPS_PROXY: 'http://capital' });
    assert.equal(fetchSettings(both).proxy.https, 'http://capital');
    assert.equal(
      fetchSettings(loadConfig({ MODEL_MIRROR: 'https://weights.lan' })).mirror,
      'https://weights.lan',
    );
    assert.equal(fetchSettings(loadConfig({})).mirror, '');
  });

  it('refuse receivers of notices that nothing could be sent to', () => {
    const hook = { WEBHOOKS: 'https://a.example/x,http://10.0.0.7:8123/y' };
    const WEBHOOK_SECRET = `whsec_${'A'.repeat(43)}=`;
    const refused = (env: Record<string, string>, message: RegExp) =>
      assert.throws(() => loadConfig(env), { code: 'SETUP', message });
    refused(hook, /WEBHOOKS needs WEBHOOK_SECRET/);
    refused({ ...hook, WEBHOOK_SECRET, EVENT_LOG: 'none' }, /EVENT_LOG=file or redis/);
    refused({ MQTT_URL: 'mqtt://broker:1883', EVENT_LOG: 'none' }, /EVENT_LOG=file or redis/);
    refused({ NOTICE_TYPES: 'arrived,greeted' }, /NOTICE_TYPES=arrived,greeted/);
    refused({ MQTT_TOPIC: 'home/#' }, /MQTT_TOPIC=home\/#/);
    assert.equal(loadConfig({ ...hook, WEBHOOK_SECRET }).WEBHOOKS, hook.WEBHOOKS);
    assert.equal(loadConfig({ ...hook, WEBHOOK_SECRET: `${WEBHOOK_SECRET},${WEBHOOK_SECRET}` }).TLS, true);
  });

  for (const [name, value] of [
    ['PORT', '99999'],
    ['PORT', 'eight'],
    ['TLS', 'maybe'],
    ['IDENTICAL_DISTANCE', '5'],
    ['MODEL_PACK', '../etc'],
    ['LOG_LEVEL', 'loud'],
    ['INDEX', 'fast'],
    ['MODEL_MIRROR', 'weights.lan'],
  ] as const) {
    it(`refuse ${name}=${value} by name`, () => {
      assert.throws(() => loadConfig({ [name]: value }), {
        code: 'SETUP',
        message: new RegExp(`${name}=${value.replaceAll('.', '\\.')}`),
      });
    });
  }
});
