import { Type, type Static } from 'typebox';
import { OBSTACLES } from '../platform/files/obstacles.js';
import type { Services } from './services.js';

/** What does not work at the moment while recognition does; a person's sentence, without a path: anybody may read it. */
export const TroubleSchema = Type.Array(
  Type.Object({
    what: Type.Enum(['gallery', 'audit', 'events']),
    message: Type.String(),
  }),
  { description: 'What does not work while recognition does: present when `status` is `degraded`.' },
);
export type Trouble = Static<typeof TroubleSchema>;

const AUDIT =
  'The audit file cannot be written: its lines wait in memory and are lost when this process ends.';

/** What does not work at the moment, as it was last looked at: nothing is waited for. */
export function troubleOf({
  gallery,
  audit,
  events,
}: Pick<Services, 'gallery' | 'audit' | 'events'>): Trouble {
  const { obstacle } = gallery.info();
  const trouble: Trouble = [];
  if (obstacle) trouble.push({ what: 'gallery', message: OBSTACLES[obstacle].message });
  if (audit.obstacle()) trouble.push({ what: 'audit', message: AUDIT });
  if (events?.info().trouble) {
    trouble.push({
      what: 'events',
      message:
        "The log of events is not followed: what other workers change is not seen. This worker's log says why.",
    });
  }
  return trouble;
}

/** The word for readiness: a load balancer must not take away a worker that recognises because its disk is full. */
export function statusOf(able: boolean, trouble: Trouble): 'ok' | 'degraded' | 'unavailable' {
  if (!able) return 'unavailable';
  return trouble.length > 0 ? 'degraded' : 'ok';
}
