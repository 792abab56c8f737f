/** Why no segments can be mapped here; undefined when they can. */
export function segmentsRefusal(): string | undefined {
  return 'native/segments was not compiled: run "npm run setup"';
}
