/** The names under which one registry, Docker Hub, is found in credentials files. */
const HUB_HOSTS: readonly string[] = [
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com",
];

/** What credentials are looked up for. */
export interface CredentialTarget {
  /** `host[:port]`. */
  readonly registry: string;
  /** Path below the registry. */
  readonly repository: string;
}

/**
 * How well a key of a credentials file fits, or `undefined` when it does not. Keys are URLs
 * (`https://index.docker.io/v1/`), hosts (`harbor.example`, `*.harbor.example`) or hosts with the first segments of
 * a repository (`harbor.example/iot`). More path segments beat fewer, then an exact host beats a pattern.
 */
export function keyFit(key: string, target: CredentialTarget): number | undefined {
  const { host, path } = splitKey(key);
  const isExact = sameHost(host, target.registry);
  if (!isExact && !matchesPattern(host, target.registry)) return undefined;
  const wanted = target.repository.split("/");
  const isPrefix = path.length <= wanted.length && path.every((segment, index) => segment === wanted[index]);
  return isPrefix ? path.length * 2 + (isExact ? 1 : 0) : undefined;
}

/** The best fitting of some items with keys; the first of equals. */
export function bestFit<Item extends { readonly key: string }>(
  items: readonly Item[],
  target: CredentialTarget,
): Item | undefined {
  let best: { readonly item: Item; readonly fit: number } | undefined;
  for (const item of items) {
    const fit = keyFit(item.key, target);
    if (fit !== undefined && (best === undefined || fit > best.fit)) best = { item, fit };
  }
  return best?.item;
}

/** The name under which docker's helpers keep a registry. */
export function helperServer(registry: string): string {
  return canonicalHost(registry) === "docker.io" ? "https://index.docker.io/v1/" : registry;
}

function splitKey(key: string): { host: string; path: string[] } {
  const [host = "", ...path] = key.replace(/^https?:\/\//i, "").split("/").filter((part) => part !== "");
  // docker has written the API version into keys; no repository is named so by itself
  const isVersion = path.length === 1 && /^v[12]$/.test(path[0] ?? "");
  return { host: host.toLowerCase(), path: isVersion ? [] : path };
}

function sameHost(left: string, right: string): boolean {
  return canonicalHost(left) === canonicalHost(right);
}

function canonicalHost(host: string): string {
  const bare = host.toLowerCase().replace(/:443$/, "");
  return HUB_HOSTS.includes(bare) ? "docker.io" : bare;
}

/** Kubernetes' rule: `*` stands for characters of one label, the number of labels and the port must be equal. */
function matchesPattern(pattern: string, registry: string): boolean {
  if (!pattern.includes("*")) return false;
  const [patternHost = "", patternPort] = pattern.split(":");
  const [host = "", port] = registry.toLowerCase().split(":");
  if (patternPort !== port) return false;
  const [patternLabels, labels] = [patternHost.split("."), host.split(".")];
  return patternLabels.length === labels.length &&
    patternLabels.every((label, index) => matchesLabel(label, labels[index] ?? ""));
}

/** Greedy from the left, as `*` is the only special character: linear, whatever the pattern. */
function matchesLabel(pattern: string, label: string): boolean {
  const [first = "", ...parts] = pattern.split("*");
  if (!label.startsWith(first)) return false;
  const last = parts.pop();
  if (last === undefined) return label === first;
  let position = first.length;
  for (const part of parts) {
    const found = label.indexOf(part, position);
    if (found < 0) return false;
    position = found + part.length;
  }
  return label.length - position >= last.length && label.endsWith(last);
}
