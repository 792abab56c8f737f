import { messageOf } from './api.js';
import { make } from './dom.js';
import { words } from './i18n.js';
import { onSession, type Session, signOut } from './session.js';
import { toast } from './toast.js';

/**
 * Shows in the header who is signed in and by which role, with a menu that has Sign out in it. Nothing where the server
 * asks for no key, or nobody is signed in.
 * @param place takes its room before it is known
 */
export function showAccount(place: HTMLElement): void {
  place.className = 'account';
  onSession((session) => {
    const { auth, signedIn, name = '', role = 'admin' } = session;
    if (auth === 'none' || !signedIn) {
      place.replaceChildren();
      return;
    }
    const menu = accountMenu(session);
    const button = make(
      'button',
      { type: 'button', className: 'quiet', id: 'account-button' },
      make('span', { className: 'account-mark', ariaHidden: 'true' }, name.slice(0, 1).toUpperCase()),
      make('span', { className: 'account-name' }, name, ' ', make('small', {}, words.roles[role])),
    );
    // On a phone only the mark is seen.
    button.setAttribute('aria-label', `${name} ${words.roles[role]}`);
    button.popoverTargetElement = menu;
    place.replaceChildren(button, menu);
  });
}

function accountMenu({ name = '', role = 'admin', groups }: Session): HTMLElement {
  const leave = make('button', { type: 'button', id: 'sign-out' }, words.signOut);
  leave.addEventListener('click', () => {
    leave.disabled = true;
    signOut().catch((error: unknown) => {
      leave.disabled = false;
      toast(`${words.notSignedOut} ${messageOf(error)}`, { kind: 'bad' });
    });
  });
  const lines = [words.keyMay[role], ...(groups ? [words.onlyInGroups(groups.join(', '))] : [])];
  const menu = make(
    'div',
    { id: 'account-menu', popover: 'auto', className: 'account-menu' },
    make('p', {}, make('strong', {}, words.signedInAs(name))),
    ...lines.map((line) => make('p', {}, line)),
    make('a', { className: 'button', href: '/keys', data: { needs: 'keys' } }, words.keys),
    leave,
  );
  return menu;
}
