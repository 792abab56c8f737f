import { make } from './dom.js';

/** A text in which commands stand between backticks, as nodes: each command as code. */
export function withCode(text: string): (Node | string)[] {
  return text.split('`').map((part, i) => (i % 2 === 0 ? part : make('code', {}, part)));
}
