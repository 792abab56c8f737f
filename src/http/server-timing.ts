/**
 * The `Server-Timing` header: where a request's time went, for the page's figures and a browser's network panel.
 * @param times milliseconds by stage
 */
export function serverTiming(times: object): string {
  return Object.entries(times)
    .map(([stage, ms]) => `${stage};dur=${Number(ms).toFixed(1)}`)
    .join(', ');
}
