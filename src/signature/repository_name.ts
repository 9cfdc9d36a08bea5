/** Names under which one and the same registry, Docker Hub, goes. */
const DOCKER_HUB = new Set([
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com",
]);

/**
 * The repository of a reference in one spelling, so that two can be compared: registry as the URL parser spells it and
 * without port 443 or 80, Docker Hub under one name and with its `library/`, without tag and digest.
 *
 * @example
 * repositoryName("alpine:3"); // "docker.io/library/alpine"
 * repositoryName("GHCR.io/Acme/fw@sha256:00"); // "ghcr.io/Acme/fw"
 */
export function repositoryName(reference: string): string {
  const [named = ""] = reference.trim().split("@", 1);
  const untagged = named.slice(named.lastIndexOf("/") + 1).includes(":") && named.includes("/")
    ? named.slice(0, named.lastIndexOf(":"))
    : named;
  const slash = untagged.indexOf("/");
  const first = untagged.slice(0, slash < 0 ? 0 : slash).toLowerCase();
  if (!isRegistry(first)) return dockerHub(slash < 0 ? untagged.split(":", 1)[0] ?? "" : untagged);
  const registry = registryName(first) ?? first;
  const path = untagged.slice(slash + 1);
  return registry === "docker.io" ? dockerHub(path) : `${registry}/${path}`;
}

/** True when `repository` is `prefix` or lies under it, counted in whole path segments; `*` is above everything. */
export function isUnder(repository: string, prefix: string): boolean {
  return prefix === "*" || repository === prefix || repository.startsWith(`${prefix}/`);
}

/**
 * Why no repository can ever lie under `prefix`, or `undefined` when it is written as {@linkcode repositoryName} writes
 * names: a rule that matches nothing would let everything through.
 *
 * @example
 * prefixFault("Index.docker.io/acme/"); // "wanted 'docker.io/acme'"
 */
export function prefixFault(prefix: string): string | undefined {
  if (prefix === "*") return undefined;
  const form = prefixForm(prefix);
  if (form === prefix) return undefined;
  return form === undefined
    ? "wanted '*' or REGISTRY[:PORT][/PATH] in lower case, as 'docker.io/acme'"
    : `wanted '${form}'`;
}

const REGISTRY = /^(?:[a-z0-9]+(?:[.-]+[a-z0-9]+)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/;
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;

/** The prefix that was probably meant, `undefined` when none can be told. */
function prefixForm(prefix: string): string | undefined {
  const bare = prefix.trim().toLowerCase()
    .replace(/^[a-z]+:\/\//, "")
    .replace(/@.*$/, "")
    .replace(/(\/[^/:]*):[^/]*$/, "$1") // a tag
    .replace(/\/[/*]*$/, "");
  const [first = "", ...path] = bare.split("/");
  if (!path.every((component) => PATH_COMPONENT.test(component))) return undefined;
  if (isRegistry(first)) {
    const registry = registryName(first);
    return registry === undefined ? undefined : [registry, ...path].join("/");
  }
  // A single word may be a registry's short name, an organisation or an image: only its writer knows.
  return path.length > 0 && PATH_COMPONENT.test(first) ? `docker.io/${bare}` : undefined;
}

function isRegistry(first: string): boolean {
  return first === "localhost" || /[.:]/.test(first);
}

/**
 * Of one registry's spellings the one it is compared by; `undefined` for what is none. 443 and 80 are where it is reached
 * without saying so, and no two registries share a host by them.
 */
function registryName(registry: string): string | undefined {
  const url = REGISTRY.test(registry) ? URL.parse(`https://${registry}/`) : null;
  if (url === null) return undefined;
  const { hostname } = url;
  const port = Number(url.port || 443); // the parser leaves 443 out
  if (port !== 443 && port !== 80) return `${hostname}:${port}`;
  if (DOCKER_HUB.has(hostname)) return "docker.io";
  return isRegistry(hostname) ? hostname : `${hostname}:${port}`; // without its port a single word would be a path
}

function dockerHub(path: string): string {
  return `docker.io/${path.includes("/") ? path : `library/${path}`}`;
}
