/**
 * Bytes kept under a digest, and the descriptors that point to them.
 *
 * Format: OCI image-spec 1.1 descriptor.md.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** Which family of media types is written. */
export type ImageFormat = "docker" | "oci";

/** A platform as an index entry and an image config name it. */
export interface Platform {
  /** Such as `custom`. */
  readonly os: string;
  /** Such as `esp32s3`. */
  readonly architecture: string;
  /** Left out for most. */
  readonly variant?: string;
}

/** What points to a blob or a manifest (image-spec descriptor.md). */
export interface Descriptor {
  /** What the content claims to be. */
  readonly mediaType: string;
  /** `sha256:<hex>`, or another algorithm. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** Only in entries of an index. */
  readonly platform?: Platform;
  /** Free text by key. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Only for artifacts. */
  readonly artifactType?: string;
  /** Where a foreign layer can be had. */
  readonly urls?: readonly string[];
  /** The content itself, in base64. */
  readonly data?: string;
}

/** Bytes kept under a digest. Honest unless spoilt. */
export interface OciContent {
  /** Says what the bytes should be. */
  readonly descriptor: Descriptor;
  /** What is served. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** `sha256:<hex>` of the bytes. */
export function digestOf(bytes: Uint8Array, algorithm: "sha256" | "sha512" = "sha256"): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** The bytes with the descriptor that is true of them. */
export function contentOf(
  bytes: Uint8Array<ArrayBuffer>,
  mediaType: string,
  more: Partial<Descriptor> = {},
): OciContent {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length, ...more }, bytes };
}

/** The document as content; key order is kept. */
export function jsonContent(
  document: unknown,
  mediaType: string,
  more: Partial<Descriptor> = {},
): OciContent {
  return contentOf(new TextEncoder().encode(JSON.stringify(document)), mediaType, more);
}
