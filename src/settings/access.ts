import { Type } from 'typebox';

const PROXIES =
  /^((loopback|linklocal|uniquelocal|[0-9a-fA-F.:]+(\/[0-9.]+)?)(,(loopback|linklocal|uniquelocal|[0-9a-fA-F.:]+(\/[0-9.]+)?))*)?$/;
const HOSTS = /^(?:(?:\*|(?:\*\.)?[0-9A-Za-z_.-]{1,255})(?:,(?:\*|(?:\*\.)?[0-9A-Za-z_.-]{1,255}))*)?$/;
const ORIGINS = /^(https?:\/\/[^/, *]+(,https?:\/\/[^/, *]+)*)?$/;

/** Who may use this server, and from where (docs/access.md). */
export const ACCESS_SETTINGS = {
  AUTH: Type.Union([Type.Literal('key'), Type.Literal('none')], {
    default: 'key',
    description:
      '`key`: every caller needs a key. `none`: nobody does; other addresses than loopback need `AUTH_NONE_IS_FINE`.',
  }),
  AUTH_NONE_IS_FINE: Type.Boolean({
    default: false,
    description: 'Allow `AUTH=none` where others reach the server: everybody may enrol and delete.',
  }),
  ALLOWED_HOSTS: Type.String({
    default: '',
    pattern: HOSTS.source,
    description:
      'Host names that requests may use besides its own (localhost, its host name, any address), separated by commas; `*.a.example` for all below it, `*` for any. Others are refused. Empty: with `AUTH=none` its own only, else any.',
  }),
  AUTH_FAILURES: Type.Integer({
    default: 10,
    minimum: 1,
    maximum: 10_000,
    description: 'Wrong keys that one address may try within 15 minutes, per worker.',
  }),
  KEYS_FILE: Type.String({
    default: '',
    description: 'File of the keys (hashed). Empty: `keys.json` in `EMBEDDINGS_DIR`.',
  }),
  SESSION_DAYS: Type.Integer({
    default: 30,
    minimum: 1,
    maximum: 400,
    description: 'Days until a page must sign in again.',
  }),
  AUDIT_FILE: Type.String({
    default: '',
    description:
      'File of the audit log: who enrolled, deleted, exported and was refused, one JSON line each. Empty: `audit.jsonl` in `EMBEDDINGS_DIR`.',
  }),
  TRUST_PROXY: Type.String({
    default: '',
    pattern: PROXIES.source,
    description:
      'Proxies whose `X-Forwarded-...` headers count: addresses, networks (`10.0.0.0/8`) or `loopback`, separated by commas.',
  }),
  CORS_ORIGINS: Type.String({
    default: '',
    pattern: ORIGINS.source,
    description:
      'Origins whose pages may call the API from a browser, separated by commas: `https://a.example`.',
  }),
  METRICS_TOKEN: Type.String({
    default: '',
    pattern: /^(\S{16,})?$/.source,
    description:
      'Bearer token that may read `/metrics` and nothing else, 16 letters or more. Empty: an admin key.',
  }),
};
