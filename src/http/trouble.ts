import { Type, type Static } from 'typebox';
import { OBSTACLES } from '../platform/files/obstacles.js';
import type { Services } from './services.js';

/** What does not work at the moment while recognition does. The sentences name no paths: anybody may read them. */
export const TroubleSchema = Type.Array(
  Type.Object({
    what: Type.Enum(['gallery', 'audit', 'events']),
    message: Type.String(),
  }),
  { description: 'What does not work while recognition does: present when `status` is `degraded`.' },
);
export type Trouble = Static<typeof TroubleSchema>;

const AUDIT = 'The audit file cannot be written: its lines wait in memory and are lost if this process ends.';

/** As it was when last checked: nothing is waited for. */
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
        "The event log is not being followed: changes by other workers are not seen. This worker's log says why.",
    });
  }
  return trouble;
}

/** Readiness: a load balancer must not drop a worker that still recognises only because its disk is full. */
export function statusOf(able: boolean, trouble: Trouble): 'ok' | 'degraded' | 'unavailable' {
  if (!able) return 'unavailable';
  return trouble.length > 0 ? 'degraded' : 'ok';
}
