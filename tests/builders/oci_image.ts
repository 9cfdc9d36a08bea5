/**
 * Container images and artifacts in memory, with true digests and sizes, ready to be pushed. `edit` hooks change a
 * document before its digest is taken (a consistent lie); `oci_spoil.ts` damages finished bytes (an inconsistent one).
 *
 * Formats: OCI image-spec 1.1 (manifest.md, image-index.md, config.md), Docker image manifest version 2 schema 2.
 *
 * @module
 */

import {
  type Descriptor,
  type ImageFormat,
  jsonContent,
  type OciContent,
  type Platform,
} from "./oci_content.ts";
import { buildLayer, type Compression, type Layer } from "./oci_layer.ts";
import { tarArchive, tarDirectory, tarFile } from "./tar.ts";

/** An image, index or artifact with all it points to. */
export interface OciImage {
  /** The manifest or index a tag should name. */
  readonly descriptor: Descriptor;
  /** In the order they may be pushed: what is pointed to comes first, the top comes last. */
  readonly manifests: readonly OciContent[];
  /** Configs and layers. */
  readonly blobs: readonly OciContent[];
}

/** Changes a JSON document before its digest is taken; what it returns is written. */
export type DocumentEdit = (document: Record<string, unknown>) => unknown;

/** Media types by format. */
export const MEDIA_TYPES = {
  docker: {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
  },
  oci: {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
  },
} as const;

/** The label that names the firmware's path. */
export const FIRMWARE_PATH_LABEL = "com.urunc.iot.path";

/** What {@linkcode buildImage} makes one image of. */
export interface ImageOptions {
  /** Which media types are written. */
  readonly format: ImageFormat;
  /** For config and index entry. */
  readonly platform: Platform;
  /** Lowest first. */
  readonly layers: readonly Layer[];
  /** Labels of the config. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Annotations of the manifest. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Puts each layer's content into its descriptor too (image-spec descriptor.md, `data`). */
  readonly inlineData?: boolean;
  /** Changes the config, before the manifest points to it. */
  readonly editConfig?: DocumentEdit;
  /** Changes the manifest, before an index points to it. */
  readonly editManifest?: DocumentEdit;
}

/** One image for one platform. */
export function buildImage(options: ImageOptions): OciImage {
  const types = MEDIA_TYPES[options.format];
  const config = {
    created: "1970-01-01T00:00:00Z",
    ...options.platform,
    config: { Labels: options.labels ?? {} },
    rootfs: { type: "layers", diff_ids: options.layers.map((layer) => layer.diffId) },
    history: options.layers.map(() => ({ created: "1970-01-01T00:00:00Z", created_by: "tests/builders" })),
  };
  const configContent = jsonContent(options.editConfig?.(config) ?? config, types.config);
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: configContent.descriptor,
    layers: options.layers.map(({ descriptor, bytes }) =>
      options.inlineData ? { ...descriptor, data: bytes.toBase64() } : descriptor
    ),
    ...(options.annotations ? { annotations: options.annotations } : {}),
  };
  const top = jsonContent(options.editManifest?.(manifest) ?? manifest, types.manifest, {
    platform: options.platform,
  });
  return { descriptor: top.descriptor, manifests: [top], blobs: [configContent, ...options.layers] };
}

/** What {@linkcode buildIndex} makes an index of. */
export interface IndexOptions {
  /** Which media types are written. */
  readonly format: ImageFormat;
  /** Images, attestations, or further indexes. */
  readonly entries: readonly OciImage[];
  /** Annotations of the index. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Changes the index before its digest is taken. */
  readonly editIndex?: DocumentEdit;
}

/** An index (OCI) or manifest list (Docker) over the entries, in their order. */
export function buildIndex(options: IndexOptions): OciImage {
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES[options.format].index,
    manifests: options.entries.map((entry) => entry.descriptor),
    ...(options.annotations ? { annotations: options.annotations } : {}),
  };
  const top = jsonContent(options.editIndex?.(index) ?? index, index.mediaType);
  return {
    descriptor: top.descriptor,
    manifests: [...options.entries.flatMap((entry) => entry.manifests), top],
    blobs: options.entries.flatMap((entry) => entry.blobs),
  };
}

/** The `unknown/unknown` entry that BuildKit adds beside an image (docs "Image attestation storage"). */
export function buildAttestation(subject: OciImage): OciImage {
  const statement = new TextEncoder().encode('{"_type":"https://in-toto.io/Statement/v0.1"}');
  const layer = buildLayer(statement, { format: "oci", mediaType: "application/vnd.in-toto+json" });
  const image = buildImage({
    format: "oci",
    platform: { os: "unknown", architecture: "unknown" },
    layers: [layer],
  });
  const annotations = {
    "vnd.docker.reference.digest": subject.descriptor.digest,
    "vnd.docker.reference.type": "attestation-manifest",
  };
  return { ...image, descriptor: { ...image.descriptor, annotations } };
}

/** One platform of {@linkcode buildFirmwareImage}. */
export interface FirmwarePlatform {
  /** Such as `esp32s3`. */
  readonly architecture: string;
  /** The firmware file's bytes. */
  readonly firmware: Uint8Array;
  /** Where the image keeps it; `/firmware/app.bin` when absent. */
  readonly path?: string;
  /** False leaves the path label out. */
  readonly label?: boolean;
  /** `gzip` when absent. */
  readonly compression?: Compression;
  /** `custom` when absent. */
  readonly os?: string;
  /** As in {@linkcode ImageOptions}. */
  readonly inlineData?: boolean;
  /** As in {@linkcode ImageOptions}. */
  readonly editConfig?: DocumentEdit;
  /** As in {@linkcode ImageOptions}. */
  readonly editManifest?: DocumentEdit;
}

/** What {@linkcode buildFirmwareImage} builds. */
export interface FirmwareImageOptions {
  /** Which media types are written. */
  readonly format: ImageFormat;
  /** In the order of the index. */
  readonly platforms: readonly FirmwarePlatform[];
  /** Adds an attestation entry for each platform, as `docker buildx` does. */
  readonly attestations?: boolean;
  /** Changes the index before its digest is taken. */
  readonly editIndex?: DocumentEdit;
}

/** The usual firmware image: an index with one `custom/<architecture>` image of one layer for each platform. */
export function buildFirmwareImage(options: FirmwareImageOptions): OciImage {
  const images = options.platforms.map((platform) => buildPlatformImage(platform, options.format));
  const attestations = options.attestations ? images.map(buildAttestation) : [];
  return buildIndex({
    format: options.format,
    entries: [...images, ...attestations],
    ...(options.editIndex ? { editIndex: options.editIndex } : {}),
  });
}

/** The image of one platform without an index over it: what a per-architecture tag names. */
export function buildPlatformImage(platform: FirmwarePlatform, format: ImageFormat): OciImage {
  const path = platform.path ?? "/firmware/app.bin";
  const inArchive = path.replace(/^\//, "");
  const parents = inArchive.split("/").slice(0, -1).map((_, index, names) =>
    names.slice(0, index + 1).join("/")
  );
  const tar = tarArchive([...parents.map(tarDirectory), tarFile(inArchive, platform.firmware)]);
  return buildImage({
    format,
    platform: { os: platform.os ?? "custom", architecture: platform.architecture },
    layers: [buildLayer(tar, { format, compression: platform.compression ?? "gzip" })],
    labels: platform.label === false ? {} : { [FIRMWARE_PATH_LABEL]: path },
    ...(platform.inlineData ? { inlineData: true } : {}),
    ...(platform.editConfig ? { editConfig: platform.editConfig } : {}),
    ...(platform.editManifest ? { editManifest: platform.editManifest } : {}),
  });
}
