import * as v from "valibot";
import type { Descriptor, Platform } from "./descriptor.ts";
import { type Digest, isDigest } from "./digest.ts";
import { documentKind } from "./media_types.ts";
import { RegistryError, shownText } from "./registry_error.ts";

/** Points to one manifest per platform (image-spec image-index.md). */
export interface Index {
  /** Tells it from a manifest. */
  readonly kind: "index";
  /** As the document or the registry calls it. */
  readonly mediaType: string;
  /** In the order of the document, which decides among equals. */
  readonly entries: readonly Descriptor[];
  /** Free text by key. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** Points to a config and layers (image-spec manifest.md). */
export interface Manifest {
  /** Tells it from an index. */
  readonly kind: "manifest";
  /** As the document or the registry calls it. */
  readonly mediaType: string;
  /** The config; of an artifact possibly the empty one. */
  readonly config: Descriptor;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  /** Free text by key. */
  readonly annotations: Readonly<Record<string, string>>;
  /** What kind of artifact it is, if it is no image. */
  readonly artifactType?: string;
}

/** Size distribution-spec asks clients to accept at least; nothing legitimate comes near. */
export const DOCUMENT_LIMIT: number = 4 * 1024 * 1024;
/** Docker stops at 127 layers; each is a request of ours. */
const LAYER_LIMIT = 256;
/** A descriptor takes some 250 bytes, so 4 MiB could hold 16 000; real indexes have some dozens. */
const ENTRY_LIMIT = 1024;

/** A media type of RFC 6838 is at most 127 + 1 + 127 characters long. */
const MediaType = v.pipe(v.string(), v.maxLength(255));

/** Other places for one layer: more than a handful is a list of hosts to be asked on somebody's behalf. */
const URL_COUNT_LIMIT = 16;

/** Keys in a whole document: an index of 64 images has some 500; 4 MiB could hold 424 000, which take 60 MiB of memory. */
export const ANNOTATION_LIMIT = 8192;

/** Go writers leave `null` where there are none. */
const AnnotationsSchema = v.nullish(
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
const DescriptorSchema = v.pipe(
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

const IndexSchema = v.object({
  schemaVersion: v.literal(2),
  mediaType: v.nullish(v.string()),
  manifests: v.pipe(v.nullish(v.array(DescriptorSchema), []), v.maxLength(ENTRY_LIMIT)),
  annotations: AnnotationsSchema,
});

const ManifestSchema = v.object({
  schemaVersion: v.literal(2),
  mediaType: v.nullish(v.string()),
  config: DescriptorSchema,
  layers: v.pipe(v.nullish(v.array(DescriptorSchema), []), v.maxLength(LAYER_LIMIT)),
  annotations: AnnotationsSchema,
  artifactType: v.nullish(v.string()),
});

/**
 * Reads a document whose bytes have been verified, or asked for by tag.
 *
 * `announced` is the media type under which it came: Content-Type, or that of the descriptor. A document that could
 * be read as both index and manifest is refused (CVE-2021-41190), and so is one that contradicts what announced it.
 */
export function parseDocument(
  bytes: Uint8Array,
  options: { readonly announced: string | undefined; readonly name: string },
): Index | Manifest {
  const refuse = (
    found: string,
    code: "invalid-document" | "unsupported" | "limit" = "invalid-document",
  ): never => {
    throw new RegistryError(code, `Cannot read manifest '${options.name}': ${found}`);
  };
  // trust boundary: a digest proves who is meant, not that the author means well
  const json = parseObject(bytes) ?? refuse("it is not a JSON object");
  const own = Object.hasOwn(json, "mediaType") && typeof json.mediaType === "string"
    ? json.mediaType
    : undefined;
  const [announcedKind, ownKind] = [documentKind(options.announced), documentKind(own)];
  if (announcedKind === "schema1" || ownKind === "schema1" || json.schemaVersion === 1) {
    refuse("it is of Docker's schema 1, rebuild the image with a current builder", "unsupported");
  }
  if (own !== undefined && announcedKind !== "unknown" && own !== options.announced) {
    refuse(
      `it calls itself '${shownText(own)}' but was announced as '${shownText(options.announced ?? "")}'`,
    );
  }
  const isIndex = Object.hasOwn(json, "manifests");
  const isManifest = Object.hasOwn(json, "layers") || Object.hasOwn(json, "config");
  if (isIndex && isManifest) refuse("it is both an index and a manifest");
  if (!isIndex && !isManifest) refuse("it is neither an index nor a manifest");
  const kind = ownKind === "unknown" ? announcedKind : ownKind;
  if (kind !== "unknown" && kind !== (isIndex ? "index" : "manifest")) {
    refuse(`its content is not that of '${shownText(own ?? options.announced ?? "")}'`);
  }
  if (annotationCount(json) > ANNOTATION_LIMIT) {
    refuse(`it has more than ${ANNOTATION_LIMIT} annotations`, "limit");
  }
  const mediaType = own ?? (announcedKind === "unknown" ? undefined : options.announced);
  return isIndex ? readIndex(json, mediaType, refuse) : readManifest(json, mediaType, refuse);
}

/** Counted before they are read into anything that lasts. */
function annotationCount(json: Readonly<Record<string, unknown>>): number {
  const listed = [json["manifests"], json["layers"]].flatMap((list) => Array.isArray(list) ? list : []);
  return [json, json["config"], ...listed].reduce<number>((sum, one) => {
    const found = typeof one === "object" && one !== null && "annotations" in one
      ? one.annotations
      : undefined;
    return typeof found === "object" && found !== null ? sum + Object.keys(found).length : sum;
  }, 0);
}

type Refuse = (found: string) => never;

function readIndex(json: unknown, mediaType: string | undefined, refuse: Refuse): Index {
  const found = v.safeParse(IndexSchema, json, { abortEarly: true });
  if (!found.success) return refuse(issueText(v.getDotPath(found.issues[0]), found.issues[0].message));
  const { manifests, annotations } = found.output;
  const fallback = "application/vnd.oci.image.index.v1+json";
  return { kind: "index", mediaType: mediaType ?? fallback, entries: manifests, annotations };
}

function readManifest(json: unknown, mediaType: string | undefined, refuse: Refuse): Manifest {
  const found = v.safeParse(ManifestSchema, json, { abortEarly: true });
  if (!found.success) return refuse(issueText(v.getDotPath(found.issues[0]), found.issues[0].message));
  const { config, layers, annotations, artifactType } = found.output;
  return {
    kind: "manifest",
    mediaType: mediaType ?? "application/vnd.oci.image.manifest.v1+json",
    config,
    layers,
    annotations,
    ...(artifactType ? { artifactType } : {}),
  };
}

/** Where a document breaks its schema. */
export function issueText(path: string | null, message: string): string {
  return `'${shownText(path ?? "it")}' is wrong: ${shownText(message)}`;
}

/** JSON text to an object; `undefined` for everything else. */
export function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return typeof json === "object" && json !== null && !Array.isArray(json) ? { ...json } : undefined;
  } catch {
    return undefined;
  }
}
