/** Names under which one and the same registry, Docker Hub, goes. */
const DOCKER_HUB = new Set([
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com",
]);

/**
 * The repository of a reference in one spelling, so that two can be compared: registry in lower case, Docker Hub
 * under one name and with its `library/`, without tag and digest.
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
  const hasRegistry = first === "localhost" || /[.:]/.test(first);
  if (!hasRegistry) return dockerHub(slash < 0 ? untagged.split(":", 1)[0] ?? "" : untagged);
  const path = untagged.slice(slash + 1);
  return DOCKER_HUB.has(first) ? dockerHub(path) : `${first}/${path}`;
}

/** True when `repository` is `prefix` or lies under it, counted in whole path segments; `*` is above everything. */
export function isUnder(repository: string, prefix: string): boolean {
  if (prefix === "*") return true;
  const above = prefixName(prefix);
  return repository === above || repository.startsWith(`${above}/`);
}

/** A prefix in the spelling of {@linkcode repositoryName}; a registry alone is a prefix too. */
function prefixName(prefix: string): string {
  const trimmed = prefix.replace(/\/+$/, "");
  const [first = "", ...path] = trimmed.split("/");
  const registry = first.toLowerCase();
  if (DOCKER_HUB.has(registry)) return ["docker.io", ...path].join("/");
  return [registry, ...path].join("/");
}

function dockerHub(path: string): string {
  return `docker.io/${path.includes("/") ? path : `library/${path}`}`;
}
