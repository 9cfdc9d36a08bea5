import * as v from "valibot";
import type { Descriptor } from "./descriptor.ts";
import { type Digest, isDigest } from "./digest.ts";
import { issueText, type Manifest, parseObject } from "./manifest.ts";
import { IMAGE_CONFIG_TYPES } from "./media_types.ts";
import { RegistryError } from "./registry_error.ts";

/** What we use of an image's config (image-spec config.md). */
export interface ImageConfig {
  /** `artifact`: the config says nothing of what follows. */
  readonly kind: "image" | "artifact";
  /** Digest of the config itself. */
  readonly digest: Digest;
  /** Empty for an artifact, whose config says nothing. */
  readonly os: string;
  /** Empty for an artifact, whose config says nothing. */
  readonly architecture: string;
  /** Variant of the processor. */
  readonly variant?: string;
  /** Labels of the image. */
  readonly labels: Readonly<Record<string, string>>;
  /** Digests of the unpacked layers, bottom first; none for an artifact. */
  readonly diffIds: readonly Digest[];
}

const ConfigSchema = v.object({
  os: v.nullish(v.string(), ""),
  architecture: v.nullish(v.string(), ""),
  variant: v.nullish(v.string()),
  config: v.nullish(v.object({ Labels: v.nullish(v.record(v.string(), v.string()), {}) })),
  rootfs: v.object({
    diff_ids: v.nullish(
      v.array(v.custom<Digest>((text) => typeof text === "string" && isDigest(text), "not a digest")),
      [],
    ),
  }),
});

/** True when the config is that of an image, and not that of an artifact. */
export function isImageConfig(descriptor: Descriptor): boolean {
  return IMAGE_CONFIG_TYPES.includes(descriptor.mediaType);
}

/** The config of an artifact. */
export function artifactConfig(descriptor: Descriptor): ImageConfig {
  return { kind: "artifact", digest: descriptor.digest, os: "", architecture: "", labels: {}, diffIds: [] };
}

/** Reads the verified config of an image; throws `invalid-document`, also when it has not one diffID per layer. */
export function parseImageConfig(bytes: Uint8Array, manifest: Manifest): ImageConfig {
  const refuse = (found: string): never => {
    throw new RegistryError("invalid-document", `Cannot read config '${manifest.config.digest}': ${found}`);
  };
  const parsed = v.safeParse(ConfigSchema, parseObject(bytes));
  if (!parsed.success) return refuse(issueText(v.getDotPath(parsed.issues[0]), parsed.issues[0].message));
  const { os, architecture, variant, config, rootfs } = parsed.output;
  if (rootfs.diff_ids.length !== manifest.layers.length) {
    refuse(`it has ${rootfs.diff_ids.length} diffIDs for ${manifest.layers.length} layers`);
  }
  return {
    kind: "image",
    digest: manifest.config.digest,
    os,
    architecture,
    ...(variant ? { variant } : {}),
    labels: config?.Labels ?? {},
    diffIds: rootfs.diff_ids,
  };
}
