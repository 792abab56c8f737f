import { language } from './i18n.js';

/**
 * Has the browser keep the page that it shows while the server cannot be reached (worker/sw.ts), in this page's
 * language. Browsers do so over HTTPS with a certificate that they trust, and on this machine; elsewhere nothing happens.
 */
export function keepOfflinePage(): void {
  if (!('serviceWorker' in navigator)) return;
  const register = () => {
    // The language is in the address so that another one makes the worker fetch the page again.
    navigator.serviceWorker.register(`/sw.js?${language}`, { updateViaCache: 'none' }).catch(() => undefined);
  };
  // Never before what the page itself needs.
  if (document.readyState === 'complete') register();
  else window.addEventListener('load', register, { once: true });
}
