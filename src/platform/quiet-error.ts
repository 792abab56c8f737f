/**
 * What may be logged of an error. Libraries attach what the call was about: ioredis the command with its arguments (a
 * password, a name, an embedding as bytes), Node the address that it could not parse.
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

/** Name, message, code and stack of an error and of its causes: all that is logged. */
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
    // A stack begins with the message.
    ...(stack !== undefined && { stack: hide(message === '' ? stack : stack.split(message).join(quiet)) }),
    ...(cause instanceof Error && depth < DEEPEST && { cause: quietError(cause, depth + 1) }),
  };
}

/** An error's message without any arguments of the call that it quotes. */
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
/** Redis's reply to an unknown or renamed command, which quotes the arguments. */
const QUOTED_ARGUMENTS = /,? with args beginning with:[^\n]*/g;

function hide(text: string): string {
  return text.replace(QUOTED_ARGUMENTS, '');
}
