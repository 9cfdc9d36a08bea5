import * as v from "valibot";
import { type Digest, isDigest } from "./digest.ts";

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

/** A media type of RFC 6838 is at most 127 + 1 + 127 characters long. */
const MediaType = v.pipe(v.string(), v.maxLength(255));

/** Other places for one layer: more than a handful is a list of hosts to be asked on somebody's behalf. */
const URL_COUNT_LIMIT = 16;

/** Annotations; Go writers may leave `null` where there are none. */
export const AnnotationsSchema: v.GenericSchema<unknown, Readonly<Record<string, string>>> = v.nullish(
  v.record(v.string(), v.string()),
  {},
);

const PlatformSchema = v.pipe(
  v.object({
    os: v.optional(v.string(), ""),
    architecture: v.optional(v.string(), ""),
    variant: v.optional(v.string()),
    "os.version": v.optional(v.string()),
  }),
  v.transform((platform): Platform => ({
    os: platform.os,
    architecture: platform.architecture,
    ...(platform.variant ? { variant: platform.variant } : {}),
    ...(platform["os.version"] ? { osVersion: platform["os.version"] } : {}),
  })),
);

/** Reads a descriptor of a manifest or index. */
export const DescriptorSchema: v.GenericSchema<unknown, Descriptor> = v.pipe(
  v.object({
    mediaType: MediaType,
    digest: v.pipe(
      v.string(),
      v.custom<Digest>((text) => typeof text === "string" && isDigest(text), "not a sha256 or sha512 digest"),
    ),
    size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    annotations: AnnotationsSchema,
    platform: v.nullish(PlatformSchema),
    artifactType: v.nullish(MediaType),
    urls: v.nullish(v.pipe(v.array(v.string()), v.maxLength(URL_COUNT_LIMIT))),
    data: v.nullish(v.string()),
  }),
  v.transform((found): Descriptor => ({
    mediaType: found.mediaType,
    digest: found.digest,
    size: found.size,
    annotations: found.annotations,
    ...(found.platform ? { platform: found.platform } : {}),
    ...(found.artifactType ? { artifactType: found.artifactType } : {}),
    ...(found.urls?.length ? { urls: found.urls } : {}),
    ...(found.data ? { data: found.data } : {}),
  })),
);

/** `os/architecture[/variant]`, as platforms are written for people. */
export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter((part) => part !== undefined).join(
    "/",
  );
}
