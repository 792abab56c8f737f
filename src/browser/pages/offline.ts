/** The page that stands in for any other while the server cannot be reached: it goes on by itself. */

/** Between two questions whether the server is back, milliseconds. */
const AGAIN = 3000;

async function isBack(): Promise<boolean> {
  try {
    // The service worker passes it on: an answer is the server's own.
    return (await fetch('/api/v1/live', { cache: 'no-store' })).ok;
  } catch {
    return false;
  }
}

async function wait(): Promise<void> {
  if (await isBack()) location.reload();
  else setTimeout(() => void wait(), AGAIN);
}

setTimeout(() => void wait(), AGAIN);
