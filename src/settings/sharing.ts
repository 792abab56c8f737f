import { Type } from 'typebox';

/** How several workers, on one machine or many, share a gallery. */
export const SHARING_SETTINGS = {
  EVENT_LOG: Type.Union([Type.Literal('file'), Type.Literal('redis'), Type.Literal('none')], {
    default: 'file',
    description:
      'How workers tell each other of changes: `file` (workers of one machine), `redis` (of several), `none` (one worker, and no other program that enrols).',
  }),
  EVENT_MAX_AGE: Type.Integer({
    default: 86_400,
    minimum: 60,
    maximum: 31_536_000,
    description: 'Older events are trimmed once every running worker has read them, seconds.',
  }),
  EVENT_MAX_LENGTH: Type.Integer({
    default: 100_000,
    minimum: 100,
    maximum: 10_000_000,
    description: 'At most so many events are kept once every running worker has read them.',
  }),
  EMBEDDING_STORE: Type.Union([Type.Literal('file'), Type.Literal('redis')], {
    default: 'file',
    description: 'Where embeddings are kept: `file` (`EMBEDDINGS_DIR`) or `redis` (machines share no disk).',
  }),
  SNAPSHOTS: Type.Boolean({
    default: true,
    description:
      'Keep snapshots of a gallery of 1,000 faces or more in `EMBEDDINGS_DIR/snapshots`: workers share one copy of the vectors, and a start reads that instead of every file (docs/gallery.md). Needs an `EVENT_LOG`. `false` removes those there are.',
  }),
  REDIS_URL: Type.String({
    default: 'redis://127.0.0.1:6379',
    pattern: /^rediss?(\+(sentinel|cluster))?:\/\/.+$/.source,
    description:
      'Redis, where something is set to use it: `redis://:password@host:6379`, `rediss://` with TLS; for events and embeddings also `redis+sentinel://host:26379/mymaster` or `redis+cluster://host:7000,host2:7000`.',
  }),
  REDIS_PASSWORD: Type.String({ default: '', description: 'Used instead of the one in `REDIS_URL`.' }),
  REDIS_SENTINEL_PASSWORD: Type.String({ default: '', description: 'Password of the sentinels.' }),
  REDIS_CA: Type.String({
    default: '',
    description: "Certificate file (PEM) of the authority that signed Redis's. Empty: the public ones.",
  }),
  REDIS_PREFIX: Type.String({
    default: 'kaomon',
    pattern: /^[0-9A-Za-z_.-]{1,64}$/.source,
    description: 'Begins every key in Redis; installations that share one need different ones.',
  }),
};
