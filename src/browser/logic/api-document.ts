/** What the page of the API reads out of the OpenAPI document. */

export interface Schema {
  type?: string | string[];
  format?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  contentMediaType?: string;
  $ref?: string;
}

export interface Content {
  schema?: Schema;
  example?: unknown;
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  example?: unknown;
  schema?: Schema;
}

export interface Answer {
  description?: string;
  content?: Record<string, Content>;
}

interface Described {
  summary?: string;
  description?: string;
  tags?: string[];
  security?: object[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, Content> };
  responses?: Record<string, Answer>;
}

export interface ApiDocument {
  info: { title: string; version: string; description?: string };
  tags?: { name: string; description?: string }[];
  components?: { schemas?: Record<string, Schema> };
  paths: Record<string, Record<string, Described>>;
}

/** One method of one address. */
export interface Operation extends Described {
  /** Its own place on the page, for a link: `get:/api/v1/people`. */
  id: string;
  method: string;
  path: string;
}

/** Every operation under the tags of the document, in the document's order; a tag without any is left out. */
export function byTag({ tags = [], paths }: ApiDocument) {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]): Operation => ({
      ...{ id: `${method}:${path}`, method: method.toUpperCase(), path },
      ...described,
    })),
  );
  return tags
    .map((tag) => ({ ...tag, operations: operations.filter((one) => one.tags?.includes(tag.name)) }))
    .filter((tag) => tag.operations.length > 0);
}

/** Whether every word stands somewhere in what an operation says of itself. */
export function matches(operation: Operation, query: string): boolean {
  const { method, path, summary = '', description = '', parameters = [] } = operation;
  const names = parameters.map(({ name }) => name);
  const text = [method, path, summary, description, ...names].join(' ').toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

const resolve = (schema: Schema, { components }: Pick<ApiDocument, 'components'>): Schema => {
  const name = schema.$ref?.slice('#/components/schemas/'.length);
  return name === undefined ? schema : (components?.schemas?.[name] ?? {});
};

/** A type in words of JSON Schema: `integer`, `string | null`, `array of object`. */
export function typeOf(schema: Schema, document: Pick<ApiDocument, 'components'>): string {
  const { type, items, anyOf, oneOf, allOf, const: only, enum: some, format } = resolve(schema, document);
  if (only !== undefined) return JSON.stringify(only);
  if (some) return some.map((value) => JSON.stringify(value)).join(' | ');
  const choices = anyOf ?? oneOf;
  if (choices) return [...new Set(choices.map((choice) => typeOf(choice, document)))].join(' | ');
  if (allOf?.[0]) return typeOf(allOf[0], document);
  if (type === 'array' && items) return `array of ${typeOf(items, document)}`;
  const plain = [type ?? 'any'].flat().join(' | ');
  return format === 'binary' ? 'file' : plain;
}

/** The limits of a value, each as `name: value`, without those that say nothing. */
export function limitsOf(schema: Schema): string[] {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, pattern, default: usual } = schema;
  const range = (name: string, from: number | undefined, to: number | undefined) =>
    from === undefined && to === undefined ? [] : [`${name}${from ?? '…'} – ${to ?? '…'}`];
  return [
    ...range('', minimum, maximum),
    ...range('length ', minLength, maxLength),
    ...range('items ', minItems, maxItems),
    ...(pattern === undefined ? [] : [`pattern ${pattern}`]),
    ...(usual === undefined ? [] : [`default ${JSON.stringify(usual)}`]),
  ];
}

/** A field of a body. */
export interface Field {
  /** Where it stands: `faces[].box.x`. */
  name: string;
  type: string;
  required: boolean;
  description: string;
  limits: string[];
}

/** So deep are fields within fields listed. */
const DEEPEST = 6;

/** The fields of a body, those within others after them. A choice of objects lists the fields of each. */
export function fieldsOf(schema: Schema, document: Pick<ApiDocument, 'components'>, name = ''): Field[] {
  const depth = name.split(/[.[]/).length;
  const { properties = {}, required = [], items, anyOf, oneOf, allOf } = resolve(schema, document);
  if (depth > DEEPEST) return [];
  if (items) return fieldsOf(items, document, `${name}[]`);
  const within = (anyOf ?? oneOf ?? allOf ?? []).flatMap((part) => fieldsOf(part, document, name));
  const own = Object.entries(properties).flatMap(([key, field]): Field[] => {
    const full = name === '' ? key : `${name}.${key}`;
    const { description = '' } = { ...resolve(field, document), ...field };
    const limits = limitsOf(resolve(field, document));
    const type = typeOf(field, document);
    return [
      { name: full, type, required: required.includes(key), description, limits },
      ...fieldsOf(field, document, full),
    ];
  });
  const seen = new Set<string>();
  return [...own, ...within].filter((field) => !seen.has(field.name) && seen.add(field.name));
}

/** In single quotes a shell reads nothing else. */
const quote = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** What a form's field or a body that is no text is filled with. */
const fileFor = (type: string) => (type.includes('zip') ? '@archive.zip' : '@picture.jpg');

const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

function dataOf(kind: string, { schema = {}, example }: Content, document: ApiDocument): string[] {
  if (kind === 'multipart/form-data') {
    const { properties = {} } = resolve(schema, document);
    const fields = Object.entries((example ?? properties) as Record<string, unknown>);
    return fields.map(([name, value]) => {
      const isFile = value === '(a file)' || typeOf(properties[name] ?? {}, document) === 'file';
      return `-F ${quote(`${name}=${isFile ? fileFor('') : textOf(value)}`)}`;
    });
  }
  const type = `-H ${quote(`content-type: ${kind.replace('*', 'jpeg')}`)}`;
  if (kind === 'application/json') return [type, `-d ${quote(JSON.stringify(example ?? {}))}`];
  return [type, `--data-binary ${fileFor(kind)}`];
}

/**
 * A command that asks for an operation with the document's own examples.
 * @param origin of this server: `https://door.example`
 * @param kind of the body, where there are several
 */
export function curlOf(operation: Operation, document: ApiDocument, origin: string, kind?: string): string {
  const { method, path, parameters = [], requestBody, security } = operation;
  const content = requestBody?.content ?? {};
  const body: string | undefined = kind ?? Object.keys(content).at(0);
  let address = path;
  const query: string[] = [];
  for (const { name, in: where, example, required } of parameters) {
    const value = example === undefined ? undefined : encodeURIComponent(textOf(example));
    if (where === 'path' && value !== undefined) address = address.replace(`{${name}}`, value);
    if (where === 'query' && (value !== undefined || required)) query.push(`${name}=${value ?? ''}`);
  }
  const url = origin + address + (query.length > 0 ? `?${query.join('&')}` : '');
  const implied = body === undefined ? 'GET' : 'POST';
  return [
    `curl ${method === implied ? '' : `-X ${method} `}${quote(url)}`,
    // Double quotes: the shell puts the key in.
    ...(security?.length === 0 ? [] : ['-H "x-api-key: $KAOMON_KEY"']),
    ...(body === undefined ? [] : dataOf(body, content[body], document)),
  ].join(' \\\n  ');
}
