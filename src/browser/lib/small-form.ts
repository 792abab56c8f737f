import { couldWait, messageOf } from './api.js';
import { make } from './dom.js';
import { words } from './i18n.js';

/**
 * A form of one or two fields, which shows below its button when the server refuses. What was entered stays, so that it
 * can be sent again.
 */
export function smallForm(
  title: string,
  controls: readonly Node[],
  label: string,
  run: () => Promise<void>,
): HTMLFormElement {
  const outcome = make('p', { className: 'outcome', role: 'status' });
  const submit = make('button', { type: 'submit' }, label);
  const heading = title === '' ? [] : [make('h3', {}, title)];
  const form = make('form', { className: 'small-form' }, ...heading, ...controls, submit, outcome);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit.disabled = true;
    outcome.className = 'outcome';
    outcome.textContent = '';
    run()
      .catch((error: unknown) => {
        outcome.className = 'outcome bad';
        outcome.textContent = couldWait(error)
          ? `${messageOf(error)}${words.sentenceSpace}${words.nothingLost(label)}`
          : messageOf(error);
      })
      .finally(() => (submit.disabled = false));
  });
  return form;
}
