/** What a deletion has erased, and what is still held somewhere: docs/privacy.md. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { receiptId } from '../gallery/erased.js';
import type { Erased, ErasedKind, Gallery } from '../gallery/types.js';
import type { DetectLog } from '../identity/detect-log.js';
import type { Config } from '../settings/config.js';
import { Nullable, TimeSchema } from './schemas.js';

const DAY = 86_400_000;
/** The log is trimmed once a minute. */
const TRIMMED_EVERY = 60_000;

const PLACES = ['disk', 'redis', 'milvus', 'index', 'sightings', 'detect log', 'cache'] as const;
type Place = (typeof PLACES)[number];

const HOLDERS = [
  ...['other workers', 'event log', 'snapshot', 'audit log', 'server log', 'detect log'],
  ...[
    'sightings of strangers',
    'freed blocks',
    'redis files',
    'milvus files',
    'backups',
    'archives',
    'receivers',
  ],
  ...['other machines'],
] as const;

const KINDS: readonly ErasedKind[] = [
  ...(['people', 'faces', 'pictures', 'corrections'] as const),
  ...(['sightings', 'sightingPictures', 'detections', 'journalLines'] as const),
];

const EXAMPLE = {
  receipt: 'e_3kTQ9wYx2bLm',
  erasedAt: '2026-11-27T12:00:00.000Z',
  erased: [
    { what: 'people' as const, where: 'disk' as const, count: 1 },
    { what: 'faces' as const, where: 'disk' as const, count: 2 },
    { what: 'faces' as const, where: 'index' as const, count: 2 },
    { what: 'sightings' as const, where: 'sightings' as const, count: 12 },
  ],
  held: [
    {
      where: 'event log',
      what: 'the ID',
      until: '2026-11-29T00:01:00.000Z',
      why: 'Other workers read there that the person is gone.',
    },
    {
      where: 'backups',
      what: 'everything',
      until: null,
      why: 'A copy that was made before holds what it held: delete it, or delete the person again when it is restored.',
    },
  ],
};

export const ReceiptSchema = Type.Object(
  {
    receipt: Type.String({ description: 'Stands in the audit log, beside who deleted whom.' }),
    erasedAt: TimeSchema,
    erased: Type.Array(
      Type.Object({
        what: Type.Enum([...KINDS], {
          description:
            '`people`: names, metadata and consent. `faces`: vectors. `pictures`: of faces and corrections. `journalLines`: of batches.',
        }),
        where: Type.Enum([...PLACES]),
        count: Type.Integer({ minimum: 0 }),
      }),
      { description: 'What is gone, in all packs; nothing is listed where there was nothing.' },
    ),
    held: Type.Array(
      Type.Object({
        where: Type.String({ description: HOLDERS.map((holder) => `\`${holder}\``).join(', ') }),
        what: Type.String(),
        until: { ...Nullable(TimeSchema), description: 'Null: no date is known; `why` says what decides.' },
        why: Type.String({ description: 'One sentence.' }),
      }),
      { description: 'What is still held, where and until when.' },
    ),
  },
  { examples: [EXAMPLE] },
);
export type Receipt = Static<typeof ReceiptSchema>;

/** See {@link createReceipts}. */
export type Receipts = ReturnType<typeof createReceipts>;

export interface ReceiptDeps {
  config: Config;
  gallery: Pick<Gallery, 'info'>;
  detectLog?: DetectLog | undefined;
}

/** Makes receipts of deletions, and names them in the audit log. */
export function createReceipts({ config, gallery, detectLog }: ReceiptDeps) {
  const store: Place = config.EMBEDDING_STORE === 'redis' ? 'redis' : 'disk';
  const isOnMilvus = config.INDEX === 'milvus';

  function listErased(erased: Erased): Receipt['erased'] {
    const placeOf: Record<ErasedKind, readonly Place[]> = {
      people: [store],
      faces: isOnMilvus ? [store, 'milvus'] : [store, 'index'],
      pictures: [store],
      corrections: [store, 'index'],
      sightings: ['sightings'],
      sightingPictures: ['sightings'],
      detections: ['detect log'],
      journalLines: ['cache'],
    };
    return KINDS.flatMap((what) => {
      const count = erased[what] ?? 0;
      return count > 0 ? placeOf[what].map((where) => ({ what, where, count })) : [];
    });
  }

  function listHeld(erased: Erased, now: number): Receipt['held'] {
    const held: Receipt['held'] = [];
    const hold = (where: (typeof HOLDERS)[number], what: string, until: number | undefined, why: string) =>
      held.push({ where, what, until: until === undefined ? null : new Date(until).toISOString(), why });
    const { EVENT_LOG, EVENT_MAX_AGE, AUDIT_DAYS } = config;
    const isShared = store === 'redis' || EVENT_LOG === 'redis';

    if (config.WORKERS > 1 || isShared)
      hold(
        'other workers',
        'vectors and the name, in memory',
        undefined,
        'Until they have read the event log, within a second as a rule; their searches find nobody who is gone then.',
      );
    if (store === 'redis' && config.SIGHTINGS)
      hold(
        'other machines',
        'sightings',
        undefined,
        'Each machine erases them from its copy within seconds while it runs, else at its next start. What Redis was told of them before is put together anew at once as a rule.',
      );
    if (EVENT_LOG !== 'none') {
      const isFile = EVENT_LOG === 'file';
      hold(
        'event log',
        'the ID',
        isFile ? undefined : now + EVENT_MAX_AGE * 1000 + TRIMMED_EVERY,
        isFile
          ? 'Other workers read there that the person is gone. Its parts go after EVENT_MAX_AGE; the newest one stays until later changes have filled it.'
          : 'Other workers read there that the person is gone.',
      );
    }
    if (gallery.info().snapshot)
      hold(
        'snapshot',
        'vectors and the name',
        undefined,
        'Until the next one is made without them, within a minute or two where the disk can be written.',
      );
    if (detectLog && erased.detections === undefined)
      hold(
        'detect log',
        'the ID and distances',
        now + config.DETECT_EXPIRE * 1000,
        'Redis could not be reached: the lists expire.',
      );
    if (config.SIGHTINGS)
      hold(
        'sightings of strangers',
        'vectors, and pictures where they are kept',
        now + config.UNKNOWNS_DAYS * DAY,
        'Visits in which the person was not recognised are a stranger’s: nobody knows whose they are.',
      );
    hold(
      'audit log',
      'the ID',
      AUDIT_DAYS > 0 ? now + (AUDIT_DAYS + 1) * DAY : undefined,
      AUDIT_DAYS > 0
        ? 'It says who enrolled and deleted whom. CompreFace’s subjects stand there as they were sent.'
        : 'It says who enrolled and deleted whom, and is kept for ever: AUDIT_DAYS limits that.',
    );
    hold(
      'server log',
      'the ID',
      undefined,
      'As long as you keep it; names, vectors and pictures are never in it.',
    );
    if (store === 'redis')
      hold(
        'redis files',
        'everything',
        undefined,
        'Redis’s own files (AOF, RDB) hold what was erased until Redis writes them anew (BGREWRITEAOF, BGSAVE).',
      );
    if (isOnMilvus)
      hold(
        'milvus files',
        'vectors',
        undefined,
        'Searches find them no more. They leave the disk when Milvus writes its segments anew, which it is asked for within ten minutes, and collects the old ones (dataCoord.gc.dropTolerance).',
      );
    hold(
      'freed blocks',
      'parts of files',
      undefined,
      'A file system frees the blocks of a deleted file and overwrites them later: encrypt the disk.',
    );
    hold(
      'backups',
      'everything',
      undefined,
      'A copy that was made before holds what it held: delete it, or delete the person again when it is restored.',
    );
    hold(
      'archives',
      'everything',
      undefined,
      'What was exported before is a file of whoever exported it: the audit log says who that was.',
    );
    if (config.WEBHOOKS || config.MQTT_URL)
      hold(
        'receivers',
        'the name, where and when',
        undefined,
        'Web hooks and the broker were told of the person: ask those who run them.',
      );
    return held;
  }

  return {
    /** @param erased as the gallery's deletion answers it */
    make(erased: Erased, now = Date.now()): Receipt {
      return {
        receipt: receiptId(),
        erasedAt: new Date(now).toISOString(),
        erased: listErased(erased),
        held: listHeld(erased, now),
      };
    },

    /** The receipt of what a request has deleted; its ID stands in the audit log and in a header. */
    give(request: Pick<FastifyRequest, 'audited'>, reply: FastifyReply, erased: Erased): Receipt {
      const receipt = this.make(erased);
      request.audited.erased(receipt.receipt, erased);
      reply.header('kaomon-receipt', receipt.receipt);
      return receipt;
    },
  };
}
