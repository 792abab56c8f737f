import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { KaomonError } from '../../src/platform/errors.js';
import { ensureSelfSigned, loadCredentials } from '../../src/platform/tls.js';
import { temporaryFolder } from '../support/temporary.js';

const NAMES = { names: ['localhost', 'desk'], addresses: ['127.0.0.1', '::1', '192.168.1.5'] };
const NOW = new Date('2030-05-01T12:00:00Z');
const daysLater = (days: number) => new Date(NOW.getTime() + days * 86_400_000);

describe('the self-signed certificate', () => {
  it('holds every name and address, is a server’s own and lasts no longer than Apple takes', async (t) => {
    const folder = await temporaryFolder(t);
    const { cert } = await ensureSelfSigned({ folder, ...NAMES, now: NOW });
    const certificate = new X509Certificate(cert);
    for (const name of NAMES.names) assert.ok(certificate.checkHost(name), name);
    for (const address of NAMES.addresses) assert.ok(certificate.checkIP(address), address);
    assert.equal(certificate.ca, false);
    const days = (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / 86_400_000;
    assert.ok(days > 365 && days <= 398, `${days} days`);
  });

  it('keeps its key to its owner and its certificate for everyone', async (t) => {
    const folder = path.join(await temporaryFolder(t), 'tls');
    const { key, cert } = await ensureSelfSigned({ folder, ...NAMES, now: NOW });
    const secret = path.join(folder, 'self-signed.pem');
    assert.equal((await stat(secret)).mode & 0o777, 0o600);
    assert.ok((await readFile(secret, 'utf8')).includes(key.trim()));
    const open = await readFile(path.join(folder, 'certificate.pem'), 'utf8');
    assert.equal(open.trim(), cert.trim());
  });

  it('is kept while it fits, even with an address less', async (t) => {
    const folder = await temporaryFolder(t);
    const first = await ensureSelfSigned({ folder, ...NAMES, now: NOW });
    const again = await ensureSelfSigned({ folder, ...NAMES, now: daysLater(300) });
    const offline = await ensureSelfSigned({ folder, names: ['localhost'], addresses: ['::1'], now: NOW });
    assert.equal(again.cert.trim(), first.cert.trim());
    assert.equal(again.key.trim(), first.key.trim());
    assert.equal(offline.cert.trim(), first.cert.trim());
  });

  it('is renewed before it ends, for a new address, and when its file is damaged', async (t) => {
    const folder = await temporaryFolder(t);
    const first = await ensureSelfSigned({ folder, ...NAMES, now: NOW });
    const later = await ensureSelfSigned({ folder, ...NAMES, now: daysLater(380) });
    assert.notEqual(later.cert, first.cert);
    assert.ok(Date.parse(new X509Certificate(later.cert).validTo) > daysLater(700).getTime());

    const moved = await ensureSelfSigned({
      ...{ folder, names: NAMES.names, now: daysLater(380) },
      addresses: [...NAMES.addresses, '10.0.0.7'],
    });
    assert.ok(new X509Certificate(moved.cert).checkIP('10.0.0.7'));

    await writeFile(path.join(folder, 'self-signed.pem'), moved.cert);
    const mended = await ensureSelfSigned({ folder, ...NAMES, now: daysLater(380) });
    assert.ok(new X509Certificate(mended.cert).checkHost('desk'));
    assert.notEqual(mended.cert, moved.cert);
  });
});

describe('a certificate that is given', () => {
  const base = { HOST: '127.0.0.1', CACHE_DIR: '/nowhere' };

  it('is taken', async (t) => {
    const folder = await temporaryFolder(t);
    const { key, cert } = await ensureSelfSigned({ folder, ...NAMES });
    const [TLS_CERT, TLS_KEY] = [path.join(folder, 'c.pem'), path.join(folder, 'k.pem')];
    await writeFile(TLS_CERT, cert);
    await writeFile(TLS_KEY, key);
    assert.deepEqual(await loadCredentials({ ...base, TLS_CERT, TLS_KEY }), { key, cert });
  });

  it('is refused by the setting’s name when it is not there, alone, or another’s', async (t) => {
    const folder = await temporaryFolder(t);
    const mine = await ensureSelfSigned({ folder: path.join(folder, 'a'), ...NAMES });
    const theirs = await ensureSelfSigned({ folder: path.join(folder, 'b'), ...NAMES });
    const [cert, key] = [path.join(folder, 'c.pem'), path.join(folder, 'k.pem')];
    await writeFile(cert, mine.cert);
    await writeFile(key, theirs.key);
    for (const [TLS_CERT, TLS_KEY, says] of [
      [path.join(folder, 'nothing.pem'), key, /TLS_CERT cannot be read/],
      [cert, '', /TLS_KEY is empty/],
      ['', key, /TLS_CERT is empty/],
      [cert, key, /not a certificate and its own key/],
      [key, cert, /not a certificate and its own key/],
    ] as const) {
      await assert.rejects(loadCredentials({ ...base, TLS_CERT, TLS_KEY }), (error) => {
        assert.ok(error instanceof KaomonError);
        assert.equal(error.code, 'SETUP');
        assert.match(error.message, says);
        return true;
      });
    }
  });
});
