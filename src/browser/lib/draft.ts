/** What was typed in this tab, so that neither the sign-in page nor a reload loses it. */
export interface Draft {
  userid: string;
  username: string;
  groupid: string;
}

const KEY = 'kaomon.draft';

export function keepDraft(draft: Draft): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    // The page works without it.
  }
}

export function dropDraft(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // There is none.
  }
}

/** @returns undefined when nothing was typed */
export function recallDraft(): Draft | undefined {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Partial<
      Record<keyof Draft, unknown>
    > | null;
    const text = (value: unknown) => (typeof value === 'string' ? value : '');
    return kept === null
      ? undefined
      : { userid: text(kept.userid), username: text(kept.username), groupid: text(kept.groupid) };
  } catch {
    return undefined;
  }
}
