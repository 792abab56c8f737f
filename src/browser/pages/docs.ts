import { call, messageOf } from '../lib/api.js';
import { drawOperation } from '../lib/api-operation.js';
import { element, make } from '../lib/dom.js';
import { words } from '../lib/i18n.js';
import { openPage } from '../lib/shell.js';
import { type ApiDocument, byTag, matches, type Operation } from '../logic/api-document.js';

openPage();

const search = element('search', HTMLInputElement);
const count = element('count', HTMLElement);
const place = element('operations', HTMLElement);
const drawn = new Map<string, { operation: Operation; block: HTMLDetailsElement }>();
const sections: { section: HTMLElement; ids: string[] }[] = [];

/** An operation's line; the rest is drawn when it is opened for the first time. */
function draw(operation: Operation, document: ApiDocument): HTMLDetailsElement {
  const { id, method, path, summary = '' } = operation;
  const block = make(
    'details',
    { className: 'operation', id },
    make(
      'summary',
      {},
      make('span', { className: 'method', data: { method } }, method),
      // A line breaks after a slash, not within a name.
      make(
        'code',
        {},
        ...path.split('/').flatMap((part, i) => (i === 0 ? [part] : ['/', make('wbr'), part])),
      ),
      make('span', { className: 'does', lang: 'en' }, summary),
    ),
  );
  block.addEventListener('toggle', () => {
    if (!block.open) return;
    if (block.childElementCount === 1) block.append(drawOperation(operation, document));
    // The address is then a link to it. Nothing is added to the way back.
    history.replaceState(null, '', `#${encodeURI(id)}`);
  });
  drawn.set(id, { operation, block });
  return block;
}

function show(document: ApiDocument): void {
  for (const { name, description = '', operations } of byTag(document)) {
    const section = make(
      'section',
      { ariaLabel: name },
      make('h2', { id: name }, name),
      make('p', { lang: 'en' }, description),
      ...operations.map((operation) => draw(operation, document)),
    );
    sections.push({ section, ids: operations.map(({ id }) => id) });
  }
  place.replaceChildren(...sections.map(({ section }) => section));
  filter();
}

function filter(): void {
  const query = search.value.trim();
  let shown = 0;
  for (const { operation, block } of drawn.values()) {
    block.hidden = !matches(operation, query);
    if (!block.hidden) shown += 1;
  }
  for (const { section, ids } of sections) section.hidden = ids.every((id) => drawn.get(id)?.block.hidden);
  count.textContent = shown === 0 ? words.noOperations : words.operationsFound(shown, drawn.size);
}

/** Opens what the address names. */
function follow(): void {
  const found = drawn.get(decodeURI(location.hash.slice(1)));
  if (!found) return;
  search.value = '';
  filter();
  found.block.open = true;
  found.block.scrollIntoView();
  found.block.querySelector('summary')?.focus({ preventScroll: true });
}

search.addEventListener('input', filter);
window.addEventListener('hashchange', follow);
call<ApiDocument>('GET', '/docs/json').then(
  (document) => {
    show(document);
    follow();
  },
  (error: unknown) => (element('say', HTMLElement).textContent = messageOf(error)),
);
