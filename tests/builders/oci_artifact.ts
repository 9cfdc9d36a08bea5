/**
 * Artifacts: manifests that carry files or statements in place of a root file system.
 *
 * Format: OCI image-spec 1.1 manifest.md, "Guidelines for Artifact Usage"; `subject` in the same file.
 *
 * @module
 */

import { buildLayer } from "./oci_layer.ts";
import { contentOf, type Descriptor, jsonContent, type OciContent, type Platform } from "./oci_content.ts";
import { type DocumentEdit, MEDIA_TYPES, type OciImage } from "./oci_image.ts";

/** One file of an artifact; the blob is the file itself. */
export interface ArtifactFile {
  /** Written as `org.opencontainers.image.title`; absent leaves the annotation out. */
  readonly title?: string;
  /** The file, which is the blob. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `application/octet-stream` when absent. */
  readonly mediaType?: string;
  /** Further annotations of its descriptor. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What {@linkcode buildArtifact} makes an artifact of. */
export interface ArtifactOptions {
  /** Left out of the manifest when absent; the config's media type then tells the type. */
  readonly artifactType?: string;
  /** In the order of the layers. */
  readonly files: readonly ArtifactFile[];
  /** The empty descriptor `{}` when absent. */
  readonly config?: OciContent;
  /** What the artifact is about: makes it a referrer of that manifest. */
  readonly subject?: Descriptor;
  /** The platform an index over it should name. */
  readonly platform?: Platform;
  /** Annotations of the manifest. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Changes the manifest before its digest is taken. */
  readonly editManifest?: DocumentEdit;
}

/** The content of the empty descriptor, `{}`. */
export const EMPTY_CONFIG: OciContent = contentOf(
  new TextEncoder().encode("{}"),
  "application/vnd.oci.empty.v1+json",
);

/** An artifact manifest with its files, as ORAS and cosign write them. */
export function buildArtifact(options: ArtifactOptions): OciImage {
  const config = options.config ?? EMPTY_CONFIG;
  const layers = options.files.map((file) => {
    const annotations = {
      ...(file.title === undefined ? {} : { "org.opencontainers.image.title": file.title }),
      ...file.annotations,
    };
    return buildLayer(file.bytes, {
      format: "oci",
      mediaType: file.mediaType ?? "application/octet-stream",
      descriptor: Object.keys(annotations).length > 0 ? { annotations } : {},
    });
  });
  const subject = options.subject;
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.oci.manifest,
    ...(options.artifactType ? { artifactType: options.artifactType } : {}),
    config: config.descriptor,
    layers: layers.map((layer) => layer.descriptor),
    ...(subject
      ? { subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size } }
      : {}),
    ...(options.annotations ? { annotations: options.annotations } : {}),
  };
  const top = jsonContent(options.editManifest?.(manifest) ?? manifest, MEDIA_TYPES.oci.manifest, {
    ...(options.artifactType ? { artifactType: options.artifactType } : {}),
    ...(options.platform ? { platform: options.platform } : {}),
  });
  return { descriptor: top.descriptor, manifests: [top], blobs: [config, ...layers] };
}
