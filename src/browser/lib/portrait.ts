import { initialsOf } from '../logic/paging.js';
import { make } from './dom.js';
import type { Person } from './people-api.js';

/** A person's face in a circle, or initials where no picture was kept. The name stands beside it, so it says nothing. */
export function portraitOf({ username, thumbnail }: Pick<Person, 'username' | 'thumbnail'>): HTMLElement {
  const portrait = make('span', { className: 'portrait', ariaHidden: 'true' });
  const showInitials = () => portrait.replaceChildren(initialsOf(username));
  if (thumbnail === null || thumbnail === undefined) {
    showInitials();
    return portrait;
  }
  const image = make('img', { alt: '', loading: 'lazy', decoding: 'async', draggable: false });
  image.addEventListener('error', showInitials);
  image.src = thumbnail;
  portrait.append(image);
  return portrait;
}
