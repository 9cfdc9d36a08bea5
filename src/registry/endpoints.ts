import type { Digest } from "./digest.ts";
import { hostClass } from "./host_class.ts";
import type { ImageReference } from "./reference.ts";
import { RegistryError } from "./registry_error.ts";

/** A registry asked before another one (`--registry-mirror HOST=MIRROR`). */
export interface Mirror {
  /** The registry that is mirrored, as in references. */
  readonly registry: string;
  /** `host[:port][/prefix]`; a prefix goes before the repository, as for Harbor's proxy projects. */
  readonly mirror: string;
}

/** One place to get an image from. */
export interface Source {
  /** Scheme, host and port, path `/`. */
  readonly origin: URL;
  /** `host[:port]` as credentials are looked up by. */
  readonly registry: string;
  /** Repository at this place. */
  readonly repository: string;
  /** For a mirror, the registry it stands for (distribution-spec, "Registry Proxying"). */
  readonly mirrorOf?: string;
}

/** What decides how a registry is reached. */
export interface EndpointSettings {
  /** Registries spoken to without TLS: `host` (any port) or `host:port`. Loopback ones are anyway. */
  readonly plainHttp: readonly string[];
  /** Places asked before the registry itself. */
  readonly mirrors: readonly Mirror[];
  /** Registries spoken to with TLS wherever they are, as in references. */
  readonly tls?: ReadonlySet<string>;
}

/** All places for an image, in the order in which they are asked: mirrors first, the registry itself last. */
export function sourcesOf(reference: ImageReference, settings: EndpointSettings): Source[] {
  const mirrors = settings.mirrors.filter(({ registry }) => canonical(registry) === reference.registry);
  return [
    ...mirrors.map(({ mirror }) => mirrorSource(reference, mirror, settings)),
    {
      origin: originOf(reference.registry, settings, settings.tls?.has(reference.registry)),
      registry: reference.registry,
      repository: reference.repository,
    },
  ];
}

function mirrorSource(reference: ImageReference, mirror: string, settings: EndpointSettings): Source {
  const [host = "", ...prefix] = mirror.replace(/^https:\/\//i, "").split("/").filter((part) => part !== "");
  if (host === "" || mirror.toLowerCase().startsWith("http:")) {
    throw new RegistryError(
      "bad-reference",
      `Cannot use the mirror '${mirror}': wanted HOST[:PORT][/PREFIX]`,
    );
  }
  return {
    origin: originOf(canonical(host), settings, /^https:/i.test(mirror)),
    registry: canonical(host),
    repository: [...prefix, reference.repository].join("/"),
    mirrorOf: reference.registry,
  };
}

function canonical(registry: string): string {
  const host = registry.toLowerCase();
  return host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}

/** `host[:port]` of a registry's API: Docker Hub's does not live at its name. */
export function apiHost(registry: string): string {
  const host = canonical(registry);
  return host === "docker.io" ? "registry-1.docker.io" : host;
}

function originOf(registry: string, settings: EndpointSettings, isTls = false): URL {
  const host = apiHost(registry);
  if (!URL.canParse(`https://${host}/`)) {
    throw new RegistryError("bad-reference", `Cannot reach registry '${host}': wanted HOST[:PORT]`);
  }
  const { hostname } = new URL(`https://${host}/`);
  const isPlain = !isTls && (hostClass(hostname) === "loopback" ||
    settings.plainHttp.some((entry) => entry.toLowerCase() === host || entry.toLowerCase() === hostname));
  return new URL(`${isPlain ? "http" : "https"}://${host}/`);
}

/** Format: `<origin>/v2/`. Answers 200, or 401 with the registry's challenge (distribution-spec, end-1). */
export function pingUrl(at: URL): URL {
  return new URL("/v2/", at.origin);
}

/** Format: `<origin>/v2/<repository>/manifests/<tag or digest>` (distribution-spec, end-3). */
export function manifestUrl(source: Source, name: string): URL {
  return withNamespace(source, new URL(`/v2/${source.repository}/manifests/${name}`, source.origin));
}

/** Format: `<origin>/v2/<repository>/blobs/<digest>` (distribution-spec, end-2). */
export function blobUrl(source: Source, digest: Digest): URL {
  return withNamespace(source, new URL(`/v2/${source.repository}/blobs/${digest}`, source.origin));
}

/** Format: `<origin>/v2/<repository>/referrers/<digest>[?artifactType=]` (distribution-spec, end-12). */
export function referrersUrl(source: Source, digest: Digest, artifactType?: string): URL {
  const url = new URL(`/v2/${source.repository}/referrers/${digest}`, source.origin);
  if (artifactType !== undefined) url.searchParams.set("artifactType", artifactType);
  return withNamespace(source, url);
}

function withNamespace(source: Source, url: URL): URL {
  if (source.mirrorOf !== undefined) url.searchParams.set("ns", source.mirrorOf);
  return url;
}
