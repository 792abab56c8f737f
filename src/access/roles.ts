/** What a caller may do; each role includes the ones before it. */
export const ROLES = ['recognise', 'enrol', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Whether `role` may do all that `required` may. */
export function covers(role: Role, required: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(required);
}
