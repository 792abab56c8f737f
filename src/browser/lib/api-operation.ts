import {
  type Answer,
  type ApiDocument,
  type Content,
  curlOf,
  type Field,
  fieldsOf,
  limitsOf,
  type Operation,
  type Parameter,
  typeOf,
} from '../logic/api-document.js';
import { make } from './dom.js';
import { words } from './i18n.js';

/** How long "Copied" is read, milliseconds. */
const COPIED = 2000;

/** Everything about an operation that its line does not say. */
export function drawOperation(operation: Operation, document: ApiDocument): HTMLElement {
  const { description, parameters = [], requestBody, responses = {}, security } = operation;
  const root = make('div', { className: 'described' });
  if (description) root.append(paragraph(description));
  if (security?.length === 0) root.append(make('p', {}, words.openToAll));
  if (parameters.length > 0)
    root.append(
      heading(words.apiParameters),
      fieldList(parameters.map((parameter) => ofParameter(parameter, document))),
    );
  const bodies = Object.entries(requestBody?.content ?? {});
  if (bodies.length > 0)
    root.append(
      heading(words.apiBody),
      ...bodies.map(([kind, content]) => drawContent(kind, content, document)),
    );
  root.append(heading(words.apiInShell));
  const kinds = bodies.length > 0 ? bodies.map(([kind]) => kind) : [undefined];
  for (const kind of kinds) root.append(drawCommand(curlOf(operation, document, location.origin, kind)));
  root.append(heading(words.apiAnswers), ...drawAnswers(responses, document));
  return root;
}

const heading = (text: string) => make('h3', {}, text);

/** The document's own words: English, with `code` in backticks. */
function paragraph(text: string): HTMLParagraphElement {
  const parts = text.split('`').map((part, i) => (i % 2 === 1 ? make('code', {}, part) : part));
  return make('p', { lang: 'en' }, ...parts);
}

function ofParameter(parameter: Parameter, document: ApiDocument): Field {
  const { name, in: where, required = false, description, schema = {}, example } = parameter;
  const limits = [where, ...limitsOf(schema)];
  if (example !== undefined) limits.push(`${words.apiExample}: ${JSON.stringify(example)}`);
  return {
    ...{ name, type: typeOf(schema, document), required, limits },
    description: description ?? schema.description ?? '',
  };
}

function fieldList(fields: readonly Field[]): HTMLDListElement {
  return make(
    'dl',
    { className: 'fields' },
    ...fields.map(({ name, type, required, description, limits }) =>
      make(
        'div',
        {},
        make(
          'dt',
          {},
          make('code', {}, name),
          ...(required ? [' ', make('span', { className: 'required' }, words.apiRequired)] : []),
        ),
        make(
          'dd',
          {},
          make('small', { lang: 'en' }, [type, ...limits].join(' · ')),
          ...(description ? [paragraph(description)] : []),
        ),
      ),
    ),
  );
}

function drawContent(kind: string, { schema = {}, example }: Content, document: ApiDocument): HTMLElement {
  const fields = fieldsOf(schema, document);
  return make(
    'div',
    { className: 'content' },
    make('p', {}, make('code', {}, kind), ...(fields.length > 0 ? [] : [` ${typeOf(schema, document)}`])),
    ...(schema.description ? [paragraph(schema.description)] : []),
    ...(fields.length > 0 ? [fieldList(fields)] : []),
    ...(example === undefined ? [] : [drawExample(example)]),
  );
}

function drawExample(example: unknown): HTMLElement {
  const text = typeof example === 'string' ? example : JSON.stringify(example, null, 2);
  return make(
    'figure',
    {},
    make('figcaption', {}, words.apiExample),
    make('pre', {}, make('code', {}, text)),
  );
}

function drawCommand(command: string): HTMLElement {
  const button = make('button', { type: 'button', className: 'quiet' }, words.copyCommand);
  button.addEventListener('click', () => {
    // Only a page that is not on HTTPS has no clipboard: then the text can be marked.
    void navigator.clipboard.writeText(command).then(() => {
      button.textContent = words.commandCopied;
      setTimeout(() => (button.textContent = words.copyCommand), COPIED);
    });
  });
  if (!window.isSecureContext) button.hidden = true;
  return make('div', { className: 'command' }, make('pre', {}, make('code', {}, command)), button);
}

/** What succeeds in full; what fails, of which all say the same, in a line each. */
function drawAnswers(responses: Record<string, Answer>, document: ApiDocument): HTMLElement[] {
  const answers = Object.entries(responses);
  const fails = ([status]: [string, Answer]) => Number(status) >= 400;
  const good = answers.filter((answer) => !fails(answer));
  const bad = answers.filter(fails);
  return [
    ...good.map(([status, { description = '', content = {} }]) =>
      make(
        'div',
        { className: 'answer' },
        make('p', {}, make('strong', {}, status), ' ', make('span', { lang: 'en' }, saysMore(description))),
        ...Object.entries(content).map(([kind, one]) => drawContent(kind, one, document)),
      ),
    ),
    ...(bad.length === 0
      ? []
      : [make('p', {}, `${words.apiErrors}: `, make('code', {}, bad.map(([status]) => status).join(', ')))]),
    ...bad
      .filter(([, { description = '' }]) => saysMore(description) !== '')
      .map(([status, { description = '' }]) => paragraph(`\`${status}\` ${description}`)),
  ];
}

/** What the plug-in writes where a route describes nothing. */
const saysMore = (description: string) => (description === 'Default Response' ? '' : description);
