/**
 * Layers: bytes in the encoding a writer of images would choose, with the digests of both sides of it.
 *
 * @module
 */

import { gzipSync, zstdCompressSync } from "node:zlib";
import { contentOf, type Descriptor, digestOf, type ImageFormat, type OciContent } from "./oci_content.ts";
import { concatBytes } from "./tar.ts";

/** `multi-gzip`: several gzip members one after the other, as pigz and eStargz write. */
export type Compression = "gzip" | "multi-gzip" | "zstd" | "none";

/** A layer blob, with the digest of what is inside. */
export interface Layer extends OciContent {
  /** Digest of the bytes before compression (image-spec config.md, `diff_ids`). */
  readonly diffId: string;
}

/** How {@linkcode buildLayer} encodes and names the bytes. */
export interface LayerOptions {
  /** Which media types are written. */
  readonly format: ImageFormat;
  /** `none` when absent. */
  readonly compression?: Compression;
  /** In place of the one that belongs to format and compression. */
  readonly mediaType?: string;
  /** Further descriptor fields, such as annotations or urls. */
  readonly descriptor?: Partial<Descriptor>;
}

/** A layer of the given uncompressed bytes, which are a tar archive or an artifact's file itself. */
export function buildLayer(content: Uint8Array<ArrayBuffer>, options: LayerOptions): Layer {
  const compression = options.compression ?? "none";
  const bytes = compress(content, compression);
  const mediaType = options.mediaType ?? layerMediaType(options.format, compression);
  return { ...contentOf(bytes, mediaType, options.descriptor), diffId: digestOf(content) };
}

/** The media type a layer of this kind carries. */
export function layerMediaType(format: ImageFormat, compression: Compression): string {
  const suffix = compression === "multi-gzip" ? "gzip" : compression;
  if (format === "docker") {
    return `application/vnd.docker.image.rootfs.diff.tar${suffix === "none" ? "" : `.${suffix}`}`;
  }
  return `application/vnd.oci.image.layer.v1.tar${suffix === "none" ? "" : `+${suffix}`}`;
}

/** The same bytes, encoded. */
export function compress(
  content: Uint8Array<ArrayBuffer>,
  compression: Compression,
): Uint8Array<ArrayBuffer> {
  // Level 1: the lab's images are built on every run, and nobody measures how small they are.
  const gzip = (part: Uint8Array) => gzipSync(part, { level: 1 });
  switch (compression) {
    case "none":
      return content;
    case "gzip":
      return new Uint8Array(gzip(content));
    case "zstd":
      return new Uint8Array(zstdCompressSync(content));
    case "multi-gzip": {
      const third = Math.ceil(content.length / 3);
      return concatBytes([0, 1, 2].map((n) => gzip(content.subarray(n * third, (n + 1) * third))));
    }
  }
}
