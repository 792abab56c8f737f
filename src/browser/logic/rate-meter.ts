/** Measures how often something happens. @param span milliseconds that are looked back */
export function createRateMeter(span = 2000) {
  let times: number[] = [];
  return {
    /** @param now milliseconds */
    mark(now: number): void {
      times.push(now);
    },
    /** Events a second over the last span. */
    perSecond(now: number): number {
      times = times.filter((time) => now - time < span);
      return (times.length * 1000) / span;
    },
  };
}
