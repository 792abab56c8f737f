import { make } from './dom.js';
import { words } from './i18n.js';
import { raiseToasts } from './toast.js';

export interface OpenDialog {
  root: HTMLDialogElement;
  body: HTMLElement;
  close: () => void;
}

/** Dialogs stand over one another, each named by its own heading. */
let opened = 0;

/**
 * Opens a dialog over the page; Escape, its close button and a click outside close it.
 * @param onClosed called once, however it was closed
 */
export function openDialog(
  title: string,
  content: readonly (Node | string)[],
  onClosed?: () => void,
): OpenDialog {
  const heading = make('h2', { id: `dialog-title-${++opened}` }, title);
  const close = () => root.close();
  const closeButton = make(
    'button',
    { type: 'button', className: 'quiet cross', ariaLabel: words.close, onclick: close },
    '×',
  );
  const body = make('div', { className: 'dialog-body' }, ...content);
  const root = make('dialog', {}, make('header', {}, heading, closeButton), body);
  root.setAttribute('aria-labelledby', heading.id);
  root.addEventListener('click', ({ target }) => {
    if (target === root) close();
  });
  root.addEventListener('close', () => {
    // What can be undone must not go with the dialog.
    raiseToasts();
    root.remove();
    onClosed?.();
  });
  document.body.append(root);
  root.showModal();
  raiseToasts();
  return { root, body, close };
}

/** Asks a yes-or-no question. @returns true for yes; false for cancel or a closed dialog */
export function confirmWith(
  title: string,
  text: string,
  { yes, danger = false }: { yes: string; danger?: boolean },
): Promise<boolean> {
  return new Promise((resolve) => {
    let agreed = false;
    const agree = () => {
      agreed = true;
      dialog.close();
    };
    const dialog = openDialog(
      title,
      [
        make('p', {}, text),
        make(
          'div',
          { className: 'buttons' },
          make('button', { type: 'button', onclick: () => dialog.close() }, words.cancel),
          make('button', { type: 'button', className: danger ? 'danger' : 'primary', onclick: agree }, yes),
        ),
      ],
      () => resolve(agreed),
    );
    dialog.root.classList.add('question');
  });
}
