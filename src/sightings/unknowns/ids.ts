/** A group's ID as the API gives it. */
export const toUnknownId = (id: number): string => `u-${id}`;

/** A group's ID as the API takes it; longer numbers are not exact. */
export const UNKNOWN_ID = /^u-[1-9]\d{0,14}$/;

/** @returns undefined: it is no such ID */
export function fromUnknownId(text: string): number | undefined {
  return UNKNOWN_ID.test(text) ? Number(text.slice(2)) : undefined;
}
