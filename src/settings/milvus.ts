import { Type } from 'typebox';
import { KaomonError } from '../platform/errors.js';

/** The gallery on Milvus (`INDEX=milvus`, docs/scale.md). */
export const MILVUS_SETTINGS = {
  MILVUS_URL: Type.String({
    default: '',
    pattern: /^(https?:\/\/[^/@?#]+(\/[0-9A-Za-z_]{1,255})?\/?)?$/.source,
    description:
      'With `INDEX=milvus`: where it is, `http://host:19530`, `https://` with TLS, `https://host:19530/NAME` for a database of it.',
  }),
  MILVUS_TOKEN: Type.String({ default: '', description: 'Its token (`user:password`, or an API key).' }),
  MILVUS_USER: Type.String({ default: '', description: 'Its user, where there is no token.' }),
  MILVUS_PASSWORD: Type.String({ default: '', description: "The user's password." }),
  MILVUS_CA: Type.String({
    default: '',
    description: "Certificate file (PEM) of the authority that signed Milvus's. Empty: the public ones.",
  }),
  MILVUS_FACES: Type.Integer({
    default: 1_000_000,
    minimum: 1,
    maximum: 10_000_000_000,
    description:
      'How many faces are expected: `MILVUS_INDEX=auto` and `MILVUS_LISTS=0` follow it when the collection is made.',
  }),
  MILVUS_INDEX: Type.Union(
    [
      Type.Literal('auto'),
      Type.Literal('flat'),
      Type.Literal('ivf_flat'),
      Type.Literal('ivf_sq8'),
      Type.Literal('hnsw'),
      Type.Literal('gpu_ivf_flat'),
      Type.Literal('gpu_brute_force'),
      Type.Literal('gpu_cagra'),
    ],
    {
      default: 'auto',
      description:
        'The kind of index in Milvus. `auto`: what the collection has; when it is made, `flat` for up to 20,000 faces, `ivf_flat` for up to 10 million, `ivf_sq8` beyond.',
    },
  ),
  MILVUS_LISTS: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 65_536,
    description: 'Lists of `ivf_*`; 0: four times the root of `MILVUS_FACES`, as a power of two.',
  }),
  MILVUS_PROBES: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 65_536,
    description:
      'Lists that a search looks into (`ivf_*`), or how far it looks (`hnsw`: `ef`); 0: a sixteenth of the lists, 16 to 256; 128 with `hnsw`.',
  }),
  MILVUS_REPLICAS: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 64,
    description: 'Copies of the collection in memory, each on query nodes of its own.',
  }),
  MILVUS_TIMEOUT: Type.Integer({
    default: 2000,
    minimum: 100,
    maximum: 60_000,
    description:
      'Milliseconds after which Milvus counts as away. What can be repeated is tried once more before that.',
  }),
};

/** The settings that go together. @throws KaomonError SETUP */
export function refuseHalfMilvus(settings: {
  INDEX: string;
  MILVUS_URL: string;
  EMBEDDING_STORE: string;
  EVENT_LOG: string;
}): void {
  const { INDEX, MILVUS_URL, EMBEDDING_STORE, EVENT_LOG } = settings;
  if (INDEX !== 'milvus') return;
  if (MILVUS_URL === '')
    throw new KaomonError('SETUP', 'INDEX=milvus needs MILVUS_URL, such as http://host:19530.');
  if (EMBEDDING_STORE !== 'redis')
    throw new KaomonError(
      'SETUP',
      'INDEX=milvus needs EMBEDDING_STORE=redis: Milvus has the vectors, Redis whose they are.',
    );
  if (EVENT_LOG === 'none')
    throw new KaomonError(
      'SETUP',
      'INDEX=milvus needs an event log, by which workers know of what Milvus does not show yet: set EVENT_LOG=redis.',
    );
}
