/**
 * What may be written down of an error. Libraries hang onto it what the call was about: ioredis the command with its
 * arguments (a password, a name, a vector as bytes), Node the address that could not be read.
 */

/** Causes that are followed. */
const DEEPEST = 5;

export interface QuietError {
  /** The error's name. */
  type: string;
  message: string;
  code?: string | number;
  stack?: string;
  cause?: QuietError;
}

/** Name, message, code and stack of an error, and of its causes: all that a log gets. */
export function quietError(error: unknown, depth = 0): QuietError {
  // Anything can be thrown, and anything may be in it.
  if (!(error instanceof Error)) return { type: typeof error, message: quietMessage(error) };
  const { name, message, stack, cause } = error;
  const { code } = error as { code?: unknown };
  const quiet = quietMessage(error);
  return {
    type: name,
    message: quiet,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    // It begins with the message.
    ...(stack !== undefined && { stack: hide(message === '' ? stack : stack.split(message).join(quiet)) }),
    ...(cause instanceof Error && depth < DEEPEST && { cause: quietError(cause, depth + 1) }),
  };
}

/** An error's message without what it quotes of a call's arguments. */
export function quietMessage(error: unknown): string {
  if (error instanceof SyntaxError && error.message.endsWith(QUOTED_JSON)) return 'it is not valid JSON';
  if (error instanceof Error) return hide(error.message);
  return typeof error === 'string' ? hide(error) : `a value of the type ${typeof error} was thrown`;
}

/** An error as a few lines for a person, with its causes. */
export function quietText(error: unknown): string {
  const { type, message, stack, cause } = quietError(error);
  const said = stack ?? `${type}: ${message}`;
  return cause ? `${said}\nCaused by: ${cause.stack ?? cause.message}` : said;
}

/** `Unexpected token 'K', "Ken Sato" is not valid JSON`: V8 quotes what it read. */
const QUOTED_JSON = 'is not valid JSON';
/** Redis says this of a command that it does not know, or that was renamed there, and quotes what came with it. */
const QUOTED_ARGUMENTS = /,? with args beginning with:[^\n]*/g;

function hide(text: string): string {
  return text.replace(QUOTED_ARGUMENTS, '');
}
