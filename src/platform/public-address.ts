import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

type Interfaces = ReturnType<typeof networkInterfaces>;
type Network = readonly [address: string, prefix: number];

/** Networks in which somebody's own machines may be (IANA's special-purpose registry, and what clouds use). */
const OWN_V4: readonly Network[] = [
  ['10.0.0.0', 8],
  // Carrier-grade NAT; Alibaba's metadata is at 100.100.100.200.
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // The metadata of nearly every cloud is at 169.254.169.254; for containers of AWS at 169.254.170.2.
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  // Oracle's older metadata is at 192.0.0.192.
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  // Azure's wire server and Equinix Metal's metadata have addresses that look like anybody's.
  ['168.63.129.16', 32],
  ['192.80.8.124', 32],
];
/** Networks that belong to nobody. */
const NOBODYS_V4: readonly Network[] = [
  ['0.0.0.0', 8],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];
/** Only global unicast is public: no mapped IPv4, no NAT64 (64:ff9b), no unique local address (fd00). */
const GLOBAL_V6: Network = ['2000::', 3];
/** Within it: what wraps other addresses (Teredo, 6to4) or is reserved for documentation. */
const WRAPPED_V6: readonly Network[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const own = listOf(OWN_V4, 'ipv4');
const nobodys = listOf(NOBODYS_V4, 'ipv4');
const global = listOf([GLOBAL_V6], 'ipv6');
const wrapped = listOf(WRAPPED_V6, 'ipv6');

/** A LAN is at least a /64, whatever prefix its interface has. */
const LAN_V6 = 64;

/**
 * Whether an IP address is on the open internet and not in a network of this machine, whose own addresses may be public
 * ones, as may those of its neighbours behind the same firewall.
 * @param interfaces as they are now
 */
export function isPublic(address: string, interfaces: Interfaces = networkInterfaces()): boolean {
  const beside = besides(interfaces);
  if (isIP(address) === 4) {
    return ![own, nobodys, beside].some((list) => list.check(address, 'ipv4'));
  }
  // With an interface's name at the end it is of this machine only.
  if (isIP(address) !== 6 || address.includes('%')) return false;
  if (!global.check(address, 'ipv6') || wrapped.check(address, 'ipv6')) return false;
  if (beside.check(address, 'ipv6')) return false;
  const inside = ipv4In(address);
  return inside === undefined || ![own, beside].some((list) => list.check(inside, 'ipv4'));
}

/** The networks of this machine's interfaces. */
function besides(interfaces: Interfaces): BlockList {
  const list = new BlockList();
  for (const { address, cidr, family } of Object.values(interfaces).flatMap((all) => all ?? [])) {
    const [plain] = address.split('%');
    const kind = family === 'IPv6' ? 'ipv6' : 'ipv4';
    const bits = Number(cidr?.split('/').at(1) ?? 0);
    list.addAddress(plain, kind);
    // Some tunnels have a prefix of 0, which would make every address a neighbour's.
    if (bits > 0) list.addSubnet(plain, kind === 'ipv6' ? Math.min(bits, LAN_V6) : bits, kind);
  }
  return list;
}

/**
 * The IPv4 address that a global IPv6 one may stand for: behind a NAT64 with a prefix of the network's own (RFC 6052,
 * /96), or by ISATAP (RFC 5214). An address that only looks like one is refused, too, if the IPv4 address is our own.
 */
function ipv4In(address: string): string | undefined {
  const groups = groupsOf(address);
  const isNat64 = groups[4] === 0 && groups[5] === 0;
  const isIsatap = (groups[4] === 0 || groups[4] === 0x200) && groups[5] === 0x5efe;
  if (!isNat64 && !isIsatap) return undefined;
  return [groups[6] >> 8, groups[6] & 255, groups[7] >> 8, groups[7] & 255].join('.');
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // URL writes it in hexadecimal, with "::" for the zeros.
  const [head, tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [first, last] = [head, tail].map((text) =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)),
  );
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}

function listOf(networks: readonly Network[], kind: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of networks) list.addSubnet(address, prefix, kind);
  return list;
}
