/**
 * Where a host name or address points by its spelling: `loopback` this machine, `special` an address no registry
 * has (link-local with the cloud metadata services, unspecified, multicast), `private` a local network, `public`
 * everything else. What a name resolves to, {@linkcode inwardAddress} judges.
 */
export type HostClass = "loopback" | "special" | "private" | "public";

/** Classifies the `hostname` of a URL, which the URL parser has already brought into canonical form. */
export function hostClass(hostname: string): HostClass {
  const host = hostname.toLowerCase().replace(/\.$/, "");
  if (host.startsWith("[")) return ipv6Class(host.slice(1, -1));
  const octets = /^\d+\.\d+\.\d+\.\d+$/.test(host) ? host.split(".").map(Number) : undefined;
  if (octets !== undefined) return ipv4Class(octets);
  if (host === "localhost" || host.endsWith(".localhost")) return "loopback";
  const isLocalName = !host.includes(".") || /\.(?:local|internal|svc|lan|home\.arpa)$/.test(host);
  return isLocalName ? "private" : "public";
}

function ipv4Class([first = 0, second = 0]: readonly number[]): HostClass {
  if (first === 127) return "loopback";
  if (first === 0 || first >= 224 || (first === 169 && second === 254)) return "special";
  const isPrivate = first === 10 || (first === 172 && second >= 16 && second < 32) ||
    (first === 192 && second === 168) || (first === 100 && second >= 64 && second < 128);
  return isPrivate ? "private" : "public";
}

/** Prefixes, as groups, after which two groups hold an IPv4 address to which the packet goes in the end. */
const IPV4_PREFIXES: readonly (readonly number[])[] = [
  [0, 0, 0, 0, 0, 0], // ::127.0.0.1, "compatible" (RFC 4291, 2.5.5.1)
  [0, 0, 0, 0, 0, 0xffff], // ::ffff:127.0.0.1, "mapped" (2.5.5.2)
  [0, 0, 0, 0, 0xffff, 0], // ::ffff:0:127.0.0.1, "translated" (RFC 2765)
  [0x64, 0xff9b, 0, 0, 0, 0], // 64:ff9b::127.0.0.1, NAT64 (RFC 6052)
  [0x2002], // 2002:7f00:1::, 6to4 (RFC 3056)
];

function ipv6Class(address: string): HostClass {
  if (address === "::1") return "loopback";
  const groups = groupsOf(address);
  const prefix = IPV4_PREFIXES.find((prefix) => prefix.every((group, index) => groups[index] === group));
  if (prefix !== undefined) {
    const [high = 0, low = 0] = groups.slice(prefix.length);
    return ipv4Class([high >> 8, high & 255, low >> 8, low & 255]);
  }
  if (/^f(?:e[89ab]|f)/.test(address)) return "special";
  // unique local, and site-local as it was called before; a network's own NAT64 (RFC 8215)
  return /^f(?:[cd]|e[c-f])/.test(address) || address.startsWith("64:ff9b:1:") ? "private" : "public";
}

/** All eight, of an address as the URL parser writes it: `::` stands for zeros. */
function groupsOf(address: string): number[] {
  const [head = [], tail = []] = address.split("::").map((part) =>
    part.split(":").filter((group) => group !== "").map((group) => parseInt(group, 16))
  );
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** False for names, which stand for whatever addresses they resolve to. */
export function isAddress(hostname: string): boolean {
  return hostname.startsWith("[") || /^[\d.]+$/.test(hostname);
}

/**
 * True when `from` may lead us to `to`, as both are spelled: never into a place that is more inward than where it
 * stands itself, so that a registry cannot make us knock at doors only we can reach.
 */
export function mayLeadTo(from: URL, to: URL): boolean {
  return from.host === to.host || admits(hostClass(from.hostname), hostClass(to.hostname));
}

/** A URL, and the addresses to which its name resolves; none are known of a name that does not. */
export interface ResolvedUrl {
  /** As it is spelled. */
  readonly url: URL;
  /** IPv4 and IPv6. */
  readonly addresses: readonly string[];
}

/** The first address of `to` to which `from` may not lead us. */
export function inwardAddress(from: ResolvedUrl, to: ResolvedUrl): string | undefined {
  const stand = standOf(from);
  return to.addresses.find((address) => !admits(stand, addressClass(address)));
}

/** Most hosts of a company have public names. Who adds an inward address to a public one has not moved inward. */
function standOf({ url, addresses }: ResolvedUrl): HostClass {
  const spelled = hostClass(url.hostname);
  const [outermost = spelled] = addresses.map(addressClass).toSorted((one, other) =>
    DEPTH[one] - DEPTH[other]
  );
  return DEPTH[outermost] > DEPTH[spelled] ? outermost : spelled;
}

const DEPTH: Readonly<Record<HostClass, number>> = { public: 0, special: 1, private: 1, loopback: 2 };

function addressClass(address: string): HostClass {
  const { hostname } = new URL(`http://${address.includes(":") ? `[${address}]` : address}/`);
  return hostClass(hostname);
}

function admits(from: HostClass, to: HostClass): boolean {
  switch (to) {
    case "public":
      return true;
    case "private":
      return from !== "public";
    case "loopback":
      return from === "loopback";
    case "special":
      return false;
  }
}
