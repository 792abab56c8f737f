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
function recallDraft(): Draft | undefined {
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

/**
 * Whom the page is to begin with: `/add?group=...&userid=...&username=...` is the link for adding pictures of somebody;
 * without it, what was typed.
 */
export function beginning(): Omit<Draft, 'groupid'> & { groupid: string | undefined } {
  const query = new URLSearchParams(location.search);
  const group = query.get('group');
  const typed = recallDraft();
  const isLink = query.has('userid') || query.has('username');
  const { userid, username } =
    isLink || !typed ? { userid: query.get('userid') ?? '', username: query.get('username') ?? '' } : typed;
  return { userid, username, groupid: group ?? typed?.groupid };
}
