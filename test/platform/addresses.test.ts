import assert from 'node:assert/strict';
import type { networkInterfaces } from 'node:os';
import { describe, it } from 'node:test';
import { lanAddresses, ownNames, urlsOf } from '../../src/platform/addresses.js';

const common = { netmask: '', mac: '', cidr: null };
const INTERFACES: ReturnType<typeof networkInterfaces> = {
  lo: [{ ...common, address: '127.0.0.1', family: 'IPv4', internal: true }],
  eth0: [
    { ...common, address: 'fe80::1', family: 'IPv6', internal: false, scopeid: 2 },
    { ...common, address: 'fd00::2', family: 'IPv6', internal: false, scopeid: 0 },
    { ...common, address: '192.168.1.5', family: 'IPv4', internal: false },
  ],
};

describe('addresses', () => {
  it('lists those that another device can use, IPv4 first', () => {
    assert.deepEqual(lanAddresses(INTERFACES), ['192.168.1.5', 'fd00::2']);
  });

  it('prints what is listened on, and nothing else', () => {
    const lan = ['192.168.1.5', 'fd00::2'];
    assert.deepEqual(urlsOf('0.0.0.0', 8443, true, lan), [
      'https://localhost:8443',
      'https://192.168.1.5:8443',
    ]);
    assert.deepEqual(urlsOf('::', 80, false, lan).at(-1), 'http://[fd00::2]:80');
    assert.deepEqual(urlsOf('127.0.0.1', 1, true, lan), ['https://localhost:1']);
    assert.deepEqual(urlsOf('192.168.1.5', 1, true, lan), ['https://192.168.1.5:1']);
  });

  it('names the machine by loopback, by its name and by the HOST that was set', () => {
    assert.ok(ownNames('0.0.0.0').names.includes('localhost'));
    assert.ok(ownNames('0.0.0.0').addresses.includes('::1'));
    assert.ok(ownNames('kaomon.example').names.includes('kaomon.example'));
    assert.ok(ownNames('10.1.2.3').addresses.includes('10.1.2.3'));
  });
});
