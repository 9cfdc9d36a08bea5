import * as v from "valibot";
import { AnnotationsSchema, type Descriptor, DescriptorSchema } from "./descriptor.ts";
import { documentKind } from "./media_types.ts";
import { RegistryError, shownText } from "./registry_error.ts";

/** Points to one manifest per platform (image-spec image-index.md). */
export interface Index {
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
  const refuse = (found: string, code: "invalid-document" | "unsupported" = "invalid-document"): never => {
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
  const mediaType = own ?? (announcedKind === "unknown" ? undefined : options.announced);
  return isIndex ? readIndex(json, mediaType, refuse) : readManifest(json, mediaType, refuse);
}

type Refuse = (found: string) => never;

function readIndex(json: unknown, mediaType: string | undefined, refuse: Refuse): Index {
  const found = v.safeParse(IndexSchema, json, { abortEarly: true });
  if (!found.success) return refuse(issueText(found.issues[0]));
  const { manifests, annotations } = found.output;
  const fallback = "application/vnd.oci.image.index.v1+json";
  return { kind: "index", mediaType: mediaType ?? fallback, entries: manifests, annotations };
}

function readManifest(json: unknown, mediaType: string | undefined, refuse: Refuse): Manifest {
  const found = v.safeParse(ManifestSchema, json, { abortEarly: true });
  if (!found.success) return refuse(issueText(found.issues[0]));
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

/** Where a document breaks its schema, without what stands there. */
export function issueText(issue: v.BaseIssue<unknown>): string {
  return `'${shownText(v.getDotPath(issue) ?? "it")}' is wrong: ${shownText(issue.message)}`;
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
