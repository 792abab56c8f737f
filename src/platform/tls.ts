import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import path from 'node:path';
import { ownNames } from './addresses.js';
import { makeFolder, writeDurably } from './files/durable.js';
import { KaomonError } from './errors.js';
import { readSmall } from './files/small-file.js';

const DAY = 86_400_000;
/** Browsers on Apple's systems refuse a certificate that is valid for longer than 398 days. */
const VALID_FOR = 397 * DAY;
/** Renewed at a start this long before it expires, so that it does not expire while the server runs. */
const RENEW_BEFORE = 30 * DAY;
/** A phone's clock may be behind. */
const VALID_SINCE = DAY;

/** PEM texts. */
export interface Credentials {
  key: string;
  cert: string;
}

export interface TlsSettings {
  /** Where the server listens. */
  HOST: string;
  /** Files of a certificate and its key; both, or both empty. */
  TLS_CERT: string;
  TLS_KEY: string;
  CACHE_DIR: string;
}

export interface SelfSignedOptions {
  /** `<folder>/self-signed.pem` holds key and certificate, `<folder>/certificate.pem` the certificate for others. */
  folder: string;
  names: readonly string[];
  addresses: readonly string[];
  now?: Date;
}

/**
 * The certificate to serve with: the given one, or a self-signed one.
 * @throws KaomonError SETUP when the given files cannot be used
 */
export async function loadCredentials(config: TlsSettings): Promise<Credentials> {
  const { HOST, TLS_CERT, TLS_KEY, CACHE_DIR } = config;
  if (TLS_CERT || TLS_KEY) return await readGiven(TLS_CERT, TLS_KEY);
  return await ensureSelfSigned({ folder: path.join(CACHE_DIR, 'tls'), ...ownNames(HOST) });
}

async function readGiven(certFile: string, keyFile: string): Promise<Credentials> {
  const read = async (name: string, file: string) => {
    if (!file) throw new KaomonError('SETUP', `Set TLS_CERT and TLS_KEY together: ${name} is empty.`);
    return await readPem(file).catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new KaomonError('SETUP', `The file of ${name} cannot be read: ${reason}.`, { cause });
    });
  };
  const [cert, key] = [await read('TLS_CERT', certFile), await read('TLS_KEY', keyFile)];
  if (!belongTogether({ cert, key })) {
    throw new KaomonError(
      'SETUP',
      `TLS_CERT=${certFile} and TLS_KEY=${keyFile} are not a certificate and its own key (PEM, no password).`,
    );
  }
  return { cert, key };
}

/** More than the longest chain of certificates needs, bytes. */
const MOST_PEM = 1_000_000;

async function readPem(file: string): Promise<string> {
  return (await readSmall(file, MOST_PEM)).toString('utf8');
}

function belongTogether({ cert, key }: Credentials): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/**
 * The kept self-signed certificate, or a new one when there is none, it expires soon, or it lacks a name or an address
 * of this machine. Key and certificate share a file, so that workers that start together never mix two pairs.
 */
export async function ensureSelfSigned(options: SelfSignedOptions): Promise<Credentials> {
  const { folder, names, addresses, now = new Date() } = options;
  const file = path.join(folder, 'self-signed.pem');
  const kept = await readKept(file);
  if (kept && fits(new X509Certificate(kept.cert), options, now)) return kept;

  // Loaded here, because only a first start makes one and this takes a tenth of a second.
  const { generate } = await import('selfsigned');
  const made = await generate([{ name: 'commonName', value: 'Kaomon' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(now.getTime() - VALID_SINCE),
    notAfterDate: new Date(now.getTime() - VALID_SINCE + VALID_FOR),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...names.map((value) => ({ type: 2 as const, value })),
          ...addresses.map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  });
  await makeFolder(folder, 0o700);
  await writeDurably(file, `${made.private.trim()}\n${made.cert.trim()}\n`);
  await writeDurably(path.join(folder, 'certificate.pem'), `${made.cert.trim()}\n`, { mode: 0o644 });
  return { key: made.private, cert: made.cert };
}

async function readKept(file: string): Promise<Credentials | undefined> {
  const text = await readPem(file).catch(() => '');
  const [key] = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----/.exec(text) ?? [];
  const [cert] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text) ?? [];
  const kept = key && cert ? { key, cert } : undefined;
  return kept && belongTogether(kept) ? kept : undefined;
}

function fits(certificate: X509Certificate, { names, addresses }: SelfSignedOptions, now: Date): boolean {
  const begun = Date.parse(certificate.validFrom) <= now.getTime();
  const lasts = Date.parse(certificate.validTo) - RENEW_BEFORE > now.getTime();
  return (
    begun &&
    lasts &&
    names.every((name) => certificate.checkHost(name)) &&
    addresses.every((address) => isIP(address) === 0 || certificate.checkIP(address))
  );
}
