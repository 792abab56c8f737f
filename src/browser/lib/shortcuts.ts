/**
 * Keys of one letter each. They count only without Shift, Control, Alt or the like, while nothing is typed or chosen from a
 * menu, and while no dialog is open.
 * @param isOn asked at each key: somebody who speaks to the computer can switch them off
 */
export function bindShortcuts(
  keys: Partial<Record<string, HTMLButtonElement>>,
  isOn: () => boolean = () => true,
): void {
  document.addEventListener('keydown', (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.repeat || event.isComposing || event.defaultPrevented || !isOn()) return;
    if (target instanceof HTMLElement && (target.isContentEditable || target.matches(TYPING))) return;
    if (document.querySelector('dialog[open]')) return;
    const button = keys[key.toLowerCase()];
    if (button && !button.hidden) button.click();
  });
}

const TYPING = 'input:not([type="checkbox"], [type="radio"]), select, textarea';
