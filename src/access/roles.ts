/** What a caller may do; each role may do all that the ones before it may. */
export const ROLES = ['recognise', 'enrol', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Whether `role` may do what `least` may. */
export function covers(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}
