/**
 * Where a host name or address points by its spelling: `loopback` this machine, `special` an address no registry
 * has (link-local with the cloud metadata services, unspecified, multicast), `private` a local network, `public`
 * everything else. Names are not resolved: `--deny-net` of the compiled program checks the resolved addresses.
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

function ipv6Class(address: string): HostClass {
  if (address === "::1") return "loopback";
  // the URL parser writes ::ffff:127.0.0.1 as ::ffff:7f00:1
  const mapped = /^::(?:ffff:)?([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address);
  if (mapped !== null) {
    const [high, low] = [parseInt(mapped[1] ?? "0", 16), parseInt(mapped[2] ?? "0", 16)];
    return ipv4Class([high >> 8, high & 255, low >> 8, low & 255]);
  }
  if (address === "::" || /^f(?:e[89ab]|f)/.test(address)) return "special";
  return /^f[cd]/.test(address) ? "private" : "public";
}

/**
 * True when `from` may lead us to `to`: never into a place that is more inward than where it stands itself, so that
 * a registry cannot make us knock at doors only we can reach.
 */
export function mayLeadTo(from: URL, to: URL): boolean {
  if (from.host === to.host) return true;
  switch (hostClass(to.hostname)) {
    case "public":
      return true;
    case "private":
      return hostClass(from.hostname) !== "public" || from.hostname === to.hostname;
    case "loopback":
      return hostClass(from.hostname) === "loopback";
    case "special":
      return false;
  }
}
