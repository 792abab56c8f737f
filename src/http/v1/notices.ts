import { Type } from 'typebox';
import { earliest, type ReceiverState } from '../../notices/post.js';
import { requireAllGroups } from '../access.js';
import type { App } from '../app-type.js';
import { Nullable, refusals, TimeSchema } from '../schemas.js';
import type { Services } from '../services.js';

const tags = ['operation'];
const count = Type.Integer({ minimum: 0 });
const receiver = Type.String({ description: 'Its address without the path, in which a token may be.' });

const ReceiversSchema = Type.Object(
  {
    receivers: Type.Array(
      Type.Object({
        id: Type.String({ description: 'Tells receivers with the same host apart.' }),
        receiver,
        delivered: count,
        dropped: Type.Integer({ minimum: 0, description: 'Notices that were older than `EVENT_MAX_AGE`.' }),
        failed: Type.Integer({ minimum: 0, description: 'Attempts that failed; they are made again.' }),
        waitingSince: Nullable({
          ...TimeSchema,
          description: 'When the oldest thing happened that it has yet to take; null: it takes all.',
        }),
        failing: Nullable(
          Type.Object(
            { since: TimeSchema, reason: Type.String() },
            { description: 'Why it takes nothing; null: it takes all, as far as there was anything.' },
          ),
        ),
        isOff: Type.Boolean({ description: 'It has answered 410 and gets nothing until a start.' }),
      }),
    ),
    trouble: Nullable(
      Type.String({ description: 'Why this worker could not deliver, if it were its turn.' }),
    ),
  },
  {
    examples: [
      {
        receivers: [
          {
            ...{ id: '0a1b2c3d4e5f6071', receiver: 'https://hooks.example' },
            ...{ delivered: 120, dropped: 0, failed: 3, isOff: false },
            waitingSince: '2026-01-31T08:59:58Z',
            failing: { since: '2026-01-31T09:00:00Z', reason: 'answers 500' },
          },
        ],
        trouble: null,
      },
    ],
  },
);

const TriedSchema = Type.Object(
  {
    receivers: Type.Array(
      Type.Object({
        receiver,
        isDelivered: Type.Boolean(),
        reason: Nullable(Type.String({ description: 'Why not.' })),
      }),
    ),
  },
  { examples: [{ receivers: [{ receiver: 'https://hooks.example', isDelivered: true, reason: null }] }] },
);

/** Over all receivers, for who may not see who they are. */
export function summaryOf(receivers: readonly ReceiverState[]) {
  const sum = (of: (state: ReceiverState) => number) =>
    receivers.reduce((total, state) => total + of(state), 0);
  return {
    receivers: receivers.length,
    failing: receivers.filter(({ failing, isOff }) => failing !== null || isOff).length,
    delivered: sum(({ delivered }) => delivered),
    dropped: sum(({ dropped }) => dropped),
    failed: sum(({ failed }) => failed),
    waitingSince: earliest(receivers.map(({ waitingSince }) => waitingSince)),
  };
}

/** `GET /api/v1/notices` and `POST /api/v1/notices/test`. */
export function noticeRoutes(app: App, { notices }: Services): void {
  app.get(
    '/api/v1/notices',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Who is told what happens',
        description: 'The web hooks and the broker, and how far they have been told (docs/notices.md).',
        tags,
        response: { 200: ReceiversSchema, ...refusals() },
      },
    },
    (request) => {
      requireAllGroups(request, 'see who is told of all groups');
      return notices?.info() ?? { receivers: [], trouble: null };
    },
  );

  app.post(
    '/api/v1/notices/test',
    {
      config: { access: 'admin', audit: 'change', rateLimit: { max: 10, timeWindow: 60_000 } },
      schema: {
        summary: 'Send a test notice',
        description:
          'Sends each web hook and the broker a notice of the type `test` at once, and says what they did.',
        tags,
        response: { 200: TriedSchema, ...refusals() },
      },
    },
    async (request) => {
      requireAllGroups(request, 'send notices to those who are told of all groups');
      return { receivers: (await notices?.test()) ?? [] };
    },
  );
}
