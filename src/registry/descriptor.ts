import type { Digest } from "./digest.ts";

/** What an image is made for (image-spec image-index.md, "platform"). */
export interface Platform {
  /** Operating system; `custom` for firmware. */
  readonly os: string;
  /** Processor, or the device's name for firmware. */
  readonly architecture: string;
  /** Variant of the processor. */
  readonly variant?: string;
  /** Version of the operating system. */
  readonly osVersion?: string;
}

/** A pointer to content (image-spec descriptor.md). */
export interface Descriptor {
  /** What the content is said to be. */
  readonly mediaType: string;
  /** Name and proof of the content. */
  readonly digest: Digest;
  /** Bytes of the content. */
  readonly size: number;
  /** Free text by key; empty when there is none. */
  readonly annotations: Readonly<Record<string, string>>;
  /** What the content runs on, in an index. */
  readonly platform?: Platform;
  /** What kind of artifact the content is. */
  readonly artifactType?: string;
  /** Where else the content is, for foreign layers. */
  readonly urls?: readonly string[];
  /** The content itself in base64, for small ones. Not yet verified. */
  readonly data?: string;
}

/** `os/architecture[/variant]`, as platforms are written for people. */
export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter((part) => part !== undefined).join(
    "/",
  );
}
