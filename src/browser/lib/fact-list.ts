import { make } from './dom.js';

/** A figure in words. */
export interface Fact {
  term: string;
  text: string;
  className?: string;
}

/** Shows facts in a list; what has not changed stays as it is, so that a selection and a reader's place are kept. */
export function showFacts(list: HTMLElement, facts: readonly Fact[]): void {
  const rows = [...list.children];
  facts.forEach(({ term, text, className = '' }, i) => {
    const row = rows.at(i) ?? make('div', {}, make('dt'), make('dd'));
    if (!row.isConnected) list.append(row);
    if (row.className !== className) row.className = className;
    const [dt, dd] = row.children;
    if (dt.textContent !== term) dt.textContent = term;
    if (dd.textContent !== text) dd.textContent = text;
  });
  for (const row of rows.slice(facts.length)) row.remove();
}
