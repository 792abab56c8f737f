const ITEMS = '[role="menuitem"]';

/**
 * Makes a button open a menu (the menu button of the ARIA Authoring Practices): arrow keys, Home, End and first letters
 * move in it, Escape closes it.
 */
export function openMenuBy(button: HTMLButtonElement, menu: HTMLElement): void {
  button.setAttribute('aria-haspopup', 'menu');
  button.setAttribute('aria-expanded', 'false');
  button.setAttribute('aria-controls', menu.id);
  const items = () =>
    [...menu.querySelectorAll<HTMLElement>(ITEMS)].filter(({ offsetParent }) => offsetParent !== null);
  const isOpen = () => !menu.hidden;

  function open(at: number): void {
    menu.hidden = false;
    button.setAttribute('aria-expanded', 'true');
    items().at(at)?.focus();
  }
  function close(): void {
    if (!isOpen()) return;
    const hadFocus = menu.contains(document.activeElement);
    menu.hidden = true;
    button.setAttribute('aria-expanded', 'false');
    // From there a dialog that an item opens gives the focus back.
    if (hadFocus) button.focus();
  }

  button.addEventListener('click', () => (isOpen() ? close() : open(0)));
  button.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    event.preventDefault();
    open(event.key === 'ArrowDown' ? 0 : -1);
  });
  menu.addEventListener('keydown', (event) => {
    const all = items();
    const to = targetOf(event.key, all, all.indexOf(document.activeElement as HTMLElement));
    if (event.key === 'Escape' || event.key === 'Tab') close();
    if (event.key === 'Escape' || to) event.preventDefault();
    to?.focus();
  });
  // Before the item does what it is for.
  menu.addEventListener('click', close, true);
  document.addEventListener('pointerdown', ({ target }) => {
    if (target instanceof Node && !menu.contains(target) && !button.contains(target)) close();
  });
}

function targetOf(key: string, all: readonly HTMLElement[], at: number): HTMLElement | undefined {
  if (key === 'ArrowDown') return all[(at + 1) % all.length];
  if (key === 'ArrowUp') return all.at(at <= 0 ? -1 : at - 1);
  if (key === 'Home') return all[0];
  if (key === 'End') return all.at(-1);
  if (key.length !== 1 || key === ' ') return undefined;
  const from = at + 1;
  return [...all.slice(from), ...all.slice(0, from)].find(({ textContent }) =>
    textContent.trim().toLowerCase().startsWith(key.toLowerCase()),
  );
}
