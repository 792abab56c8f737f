import { hostname, networkInterfaces } from 'node:os';

const EVERY_ADDRESS = ['0.0.0.0', '::', ''];
const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

/** This machine's current addresses in its networks: IPv4 first, without link-local ones. */
export function lanAddresses(interfaces = networkInterfaces()): string[] {
  const usable = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(
      ({ internal, family, address }) => !internal && !(family === 'IPv6' && /^fe[89ab]/i.test(address)),
    );
  return usable.sort((a, b) => a.family.localeCompare(b.family)).map(({ address }) => address);
}

/** Every name and address under which a browser may reach this machine: what a certificate must hold. */
export function ownNames(host: string): { names: string[]; addresses: string[] } {
  const own = EVERY_ADDRESS.includes(host) || LOOPBACK.includes(host) ? [] : [host];
  const addresses = ['127.0.0.1', '::1', ...lanAddresses()];
  const isAddress = (text: string) => /^[\d.]+$/.test(text) || text.includes(':');
  return {
    names: [...new Set(['localhost', hostname().toLowerCase(), ...own.filter((text) => !isAddress(text))])],
    addresses: [...new Set([...addresses, ...own.filter(isAddress)])],
  };
}

/** The names under which this machine may be requested, in lower case: its own with and without the domain. */
export function hostNames(host: string): string[] {
  const [short] = hostname().toLowerCase().split('.');
  const { names } = ownNames(host);
  return [...new Set([...names.map((name) => name.toLowerCase()), short, `${short}.local`])];
}

/** What to type into a browser: this machine's own address first, then those for other devices. */
export function urlsOf(host: string, port: number, tls: boolean, lan = lanAddresses()): string[] {
  const url = (name: string) =>
    `${tls ? 'https' : 'http'}://${name.includes(':') ? `[${name}]` : name}:${port}`;
  if (LOOPBACK.includes(host)) return [url('localhost')];
  if (!EVERY_ADDRESS.includes(host)) return [url(host)];
  const reachable = host === '0.0.0.0' ? lan.filter((address) => !address.includes(':')) : lan;
  return [url('localhost'), ...reachable.map(url)];
}

/** The address that signs in with a link's token, after the `#`: browsers do not send it, proxies do not log it. */
export function signInUrl(url: string, token: string): string {
  return `${url}/signin#token=${token}`;
}
