import type { Descriptor, Platform } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { demandPin, fitsPin, pinMismatch } from "./digest_pin.ts";
import type { DocumentReader, ReadDocument } from "./document_reader.ts";
import { artifactTypeOf, descriptorOf, type ImageResolver } from "./image_resolver.ts";
import { demandBudget } from "./lookup_budget.ts";
import { DOCUMENT_LIMIT } from "./manifest.ts";
import { isAttestation } from "./platform_choice.ts";
import { formatReference, type ImageReference } from "./reference.ts";
import { RegistryError, type RegistryErrorCode } from "./registry_error.ts";
import type { Log } from "../world.ts";

/** What a reference offers. */
export interface ImageListing {
  /** As it was asked for. */
  readonly reference: ImageReference;
  /** Of the named document. */
  readonly digest: Digest;
  /** Of the named document. */
  readonly mediaType: string;
  /** Of the named document, in bytes. */
  readonly size: number;
  /** Of the named document. */
  readonly annotations: Readonly<Record<string, string>>;
  /** In the order of the document; one for a single image. */
  readonly entries: readonly ListedEntry[];
}

/** One document that a reference offers. */
export interface ListedEntry {
  /**
   * `attestation`: a statement about another entry; `index`: entries of its own, not listed; `unreadable`: missing in the
   * registry, too large or no document we know, and only what its entry says of it is told.
   */
  readonly kind: "image" | "artifact" | "attestation" | "index" | "unreadable";
  /** What it is made for, as far as it says. */
  readonly platform?: Platform;
  /** Of its manifest. */
  readonly digest: Digest;
  /** Of its manifest. */
  readonly mediaType: string;
  /** Of its manifest, in bytes. */
  readonly size: number;
  /** Of the index entry and of the manifest, which wins. */
  readonly annotations: Readonly<Record<string, string>>;
  /** What kind of artifact it is, if it is no image. */
  readonly artifactType?: string;
  /** Bottom first; empty for an index, and for what cannot be read. */
  readonly layers: readonly Descriptor[];
}

/** Entries looked into: each is a request, and nobody has more platforms than this. */
const LISTED_LIMIT = 64;

/** What a listing reads with. */
export interface ListingReaders {
  /** Reads manifests. */
  readonly documents: DocumentReader;
  /** Reads configs, for a single image's platform. */
  readonly resolver: ImageResolver;
  /** Told of entries that cannot be read. */
  readonly log: Log;
}

/** What is wrong with one entry alone: registries hold copies without the platforms that nobody needs there. */
const ENTRY_FAULTS: readonly RegistryErrorCode[] = ["not-found", "invalid-document", "unsupported", "limit"];

/**
 * Lists what a reference offers; rejects with `limit` for an index with too much to look into, with
 * `pin-mismatch` when neither the named document nor one that it offers is the expected one, and with its own fault
 * when the expected one is offered and cannot be read.
 */
export async function listImage(
  reference: ImageReference,
  { documents, resolver, log }: ListingReaders,
  { signal, expectDigest }: { readonly signal: AbortSignal; readonly expectDigest?: Digest | undefined },
): Promise<ImageListing> {
  const top = await documents.named(reference, signal);
  const { digest, mediaType, size, annotations } = descriptorOf(top);
  const listing = { reference, digest, mediaType, size, annotations };
  if (top.document.kind === "manifest") {
    demandPin(reference, [top], expectDigest);
    const config = await resolver.configOf(reference, top.document, signal);
    const platform = config.kind === "image" ? { platform: config } : {};
    return { ...listing, entries: [entryOf({ ...descriptorOf(top), ...platform }, top)] };
  }
  const children = top.document.entries;
  if (children.length > LISTED_LIMIT) {
    throw new RegistryError(
      "limit",
      `Cannot list '${
        formatReference(reference)
      }': it has ${children.length} entries, at most ${LISTED_LIMIT}`,
    );
  }
  demandBudget(
    `list '${formatReference(reference)}'`,
    // of one that says it is larger than any document nothing is read
    children.reduce((sum, child) => child.size > DOCUMENT_LIMIT ? sum : sum + child.size, size),
  );
  const entries: ListedEntry[] = [];
  let isPinned = fitsPin(top, expectDigest);
  for (const child of children) {
    const document = await documents.pointed(reference, child, signal).catch((failure) => {
      const isItsOwn = failure instanceof RegistryError && ENTRY_FAULTS.includes(failure.code);
      if (!isItsOwn || child.digest === expectDigest) throw failure;
      log.warn(`${failure.message}; it is listed as its entry names it`);
    });
    isPinned ||= document !== undefined && fitsPin(document, expectDigest);
    entries.push(document === undefined ? unreadEntry(child) : entryOf(child, document));
  }
  if (!isPinned) throw pinMismatch(reference, top.digest, expectDigest);
  return { ...listing, entries };
}

function entryOf(descriptor: Descriptor, { document }: ReadDocument): ListedEntry {
  const artifactType = document.kind === "manifest" ? artifactTypeOf(document) : undefined;
  const kind = document.kind === "index"
    ? "index"
    : isAttestation(descriptor)
    ? "attestation"
    : artifactType === undefined
    ? "image"
    : "artifact";
  return {
    ...unreadEntry(descriptor),
    kind,
    annotations: { ...descriptor.annotations, ...document.annotations },
    ...(artifactType === undefined ? {} : { artifactType }),
    layers: document.kind === "manifest" ? document.layers : [],
  };
}

function unreadEntry({ digest, mediaType, size, annotations, platform }: Descriptor): ListedEntry {
  const named = platform === undefined
    ? {}
    : { platform: { os: platform.os, architecture: platform.architecture, ...variantOf(platform) } };
  return { kind: "unreadable", ...named, digest, mediaType, size, annotations, layers: [] };
}

function variantOf({ variant, osVersion }: Platform): Partial<Platform> {
  return { ...(variant === undefined ? {} : { variant }), ...(osVersion === undefined ? {} : { osVersion }) };
}
