import { Tokenizer } from '@streamparser/json';
import { KaomonError } from '../../platform/errors.js';
import { refuseArchive, FORMAT } from './format.js';

/** What follows a string in the manifest's grammar; the parser's own numbers for them. */
const TOKEN = { open: 0, close: 1, list: 2, listEnd: 3, colon: 4, comma: 5, string: 9 };
const SHA256 = /^[0-9a-f]{64}$/;
/** The parser keeps a text until it ends: no piece of a manifest is without an end. */
const PIECE = 1 << 14;

export interface ManifestV1 {
  pack: string;
  length: number;
}

/**
 * Reads the manifest of an archive of version 1, which names every entry, as a stream: nothing of it is kept.
 * @param found called for each entry that it names
 * @throws KaomonError ARCHIVE_INVALID, and what `found` throws
 */
export async function readManifestV1(
  chunks: AsyncIterable<Buffer>,
  found: (name: string, sha256: string) => void,
): Promise<ManifestV1> {
  const fields = new Map<string, unknown>();
  const tokenizer = new Tokenizer();
  let depth = 0;
  let tokens = 0;
  let isOver = false;
  let key: string | undefined;
  let hasColon = false;
  let expects: 'key' | 'comma' = 'key';
  const wrong = () => refuseArchive('manifest.json is not valid');

  function open(): void {
    const isTop = depth === 0 && !isOver;
    const isEntries = depth === 1 && key === 'entries' && hasColon && !fields.has('entries');
    if (!isTop && !isEntries) wrong();
    if (isEntries) fields.set('entries', true);
    depth += 1;
    key = undefined;
    hasColon = false;
    expects = 'key';
  }

  function take(value: unknown): void {
    if (key === undefined || !hasColon) wrong();
    else if (depth === 2) {
      if (typeof value !== 'string' || !SHA256.test(value)) wrong();
      else found(key, value);
    } else {
      // A list of entries that is none, or a field given twice.
      if (key === 'entries' || fields.has(key) || fields.size > 20) wrong();
      fields.set(key, value);
    }
    key = undefined;
    hasColon = false;
    expects = 'comma';
  }

  tokenizer.onToken = ({ token, value }) => {
    const kind: number = token;
    tokens += 1;
    if (kind === TOKEN.open) open();
    else if (depth === 0) wrong();
    else if (kind === TOKEN.close) {
      if (key !== undefined) wrong();
      depth -= 1;
      isOver = depth === 0;
      expects = 'comma';
    } else if (kind === TOKEN.list || kind === TOKEN.listEnd) wrong();
    else if (kind === TOKEN.comma) {
      if (expects !== 'comma') wrong();
      expects = 'key';
    } else if (kind === TOKEN.colon) {
      if (key === undefined || hasColon) wrong();
      hasColon = true;
    } else if (key === undefined) {
      if (kind !== TOKEN.string || expects !== 'key') wrong();
      key = String(value);
    } else take(value);
  };
  tokenizer.onError = (error) => {
    // Also what was thrown for a token comes here.
    if (error instanceof KaomonError) throw error;
    refuseArchive('manifest.json is not JSON', error);
  };
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      const before = tokens;
      const piece = chunk.subarray(at, at + PIECE);
      // What follows the manifest can only be space, and the parser has ended.
      if (tokenizer.isEnded) {
        if (piece.some((byte) => !' \n\r\t'.includes(String.fromCharCode(byte)))) wrong();
        continue;
      }
      tokenizer.write(piece);
      if (tokens === before && piece.length === PIECE) wrong();
    }
  }
  if (depth !== 0 || !fields.has('entries')) wrong();
  const [pack, length] = [fields.get('pack'), fields.get('length')];
  const isOurs = fields.get('format') === FORMAT && fields.get('version') === 1;
  if (
    !isOurs ||
    typeof pack !== 'string' ||
    pack.length === 0 ||
    pack.length > 64 ||
    typeof length !== 'number'
  )
    return wrong();
  return { pack, length };
}
