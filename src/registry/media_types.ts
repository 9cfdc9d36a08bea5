/** Media types of documents that point to one document per platform. */
export const INDEX_TYPES: readonly string[] = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];

/** Media types of documents that point to a config and layers. */
export const MANIFEST_TYPES: readonly string[] = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];

/** Configs that tell os, architecture, labels and diffIDs. */
export const IMAGE_CONFIG_TYPES: readonly string[] = [
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
];

const SCHEMA_1_TYPES: readonly string[] = [
  "application/vnd.docker.distribution.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

/**
 * One Accept header for every manifest request: registries answer 404 for a document whose type is not listed.
 */
export const ACCEPT_DOCUMENTS: string = [...INDEX_TYPES, ...MANIFEST_TYPES].join(", ");

/** What a media type says about a document; `unknown` for types that say nothing (`text/plain` of static hosts). */
export function documentKind(mediaType: string | undefined): "index" | "manifest" | "schema1" | "unknown" {
  if (mediaType === undefined) return "unknown";
  if (INDEX_TYPES.includes(mediaType)) return "index";
  if (MANIFEST_TYPES.includes(mediaType)) return "manifest";
  return SCHEMA_1_TYPES.includes(mediaType) ? "schema1" : "unknown";
}

/** A Content-Type without its parameters, lower-case: `application/json; charset=utf-8` is `application/json`. */
export function essence(contentType: string | null): string | undefined {
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  return type === undefined || type === "" ? undefined : type;
}

/** Layers that the registry may not hold itself (image-spec layer.md, "Non-Distributable Layers"). */
export function isForeignLayer(mediaType: string): boolean {
  return mediaType.includes(".nondistributable.") || mediaType.includes(".rootfs.foreign.");
}
