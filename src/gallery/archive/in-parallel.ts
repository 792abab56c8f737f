/**
 * Works on several items at a time. When one fails, no other is begun, and it throws once those that were are done: what
 * is reported afterwards is final.
 */
export async function inParallel<T>(
  items: AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const item of items) {
      if (failures.length > 0) break;
      const one = work(item).catch((error: unknown) => void failures.push(error));
      const done = one.then(() => void running.delete(done));
      running.add(done);
      if (running.size >= atOnce) await Promise.race(running);
    }
  } finally {
    await Promise.all(running);
  }
  if (failures.length > 0) throw failures[0];
}
