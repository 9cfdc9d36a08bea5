import type { Log } from "../world.ts";
import type { Descriptor, Platform } from "./descriptor.ts";
import type { Manifest } from "./manifest.ts";
import type { ReadDocument } from "./document_reader.ts";
import { demandBudget } from "./lookup_budget.ts";
import { entryRole, samePlatform } from "./platform_choice.ts";
import { RegistryError } from "./registry_error.ts";

/** Indexes inside indexes: one is usual, two are known, more are nobody's image. */
const INDEX_DEPTH_LIMIT = 3;
/** Documents read in search of one platform. */
const DOCUMENT_COUNT_LIMIT = 64;

/** What a search needs. */
export interface ImageSearch {
  /** The wanted platform. */
  readonly wanted: Platform;
  /** Reads the document behind a descriptor, verified. */
  readonly read: (descriptor: Descriptor) => Promise<ReadDocument>;
  /** The platform an unnamed manifest says it is for, by its config. */
  readonly platformOf: (manifest: Manifest) => Promise<Platform | undefined>;
  /** Where ambiguity is told. */
  readonly log: Log;
}

/** The manifest that was found, and what points to it. */
export interface FoundManifest {
  /** What points to it. */
  readonly descriptor: Descriptor;
  /** The manifest, verified. */
  readonly manifest: Manifest;
  /** The same as it was sent. */
  readonly bytes: Uint8Array;
}

/** The outcome of a search: the manifest, or the platforms that are there instead. */
export interface SearchResult {
  /** Missing when the index has none for the platform. */
  readonly found: FoundManifest | undefined;
  /** Platforms of the entries that were passed over. */
  readonly seen: readonly Platform[];
}

/**
 * Searches an index and those inside it, in the order of the document: of equal entries the first counts, and the
 * others are warned of. Entries that name no platform are looked into only when none that names it was found.
 *
 * Rejects with `limit` for indexes too deep or too large, and with `invalid-document` for one that holds itself.
 */
export async function searchIndex(top: ReadDocument, search: ImageSearch): Promise<SearchResult> {
  const matches: Descriptor[] = [];
  const unnamed: Descriptor[] = [];
  const seen: Platform[] = [];
  let documents = 0;
  let bytes = top.bytes.length;
  const read = async (descriptor: Descriptor): Promise<ReadDocument> => {
    if (++documents > DOCUMENT_COUNT_LIMIT) {
      throw new RegistryError(
        "limit",
        `Cannot search '${top.digest}': it holds more than ${DOCUMENT_COUNT_LIMIT} documents`,
      );
    }
    // before it is fetched: a document of another size than this is refused
    demandBudget(`search '${top.digest}'`, bytes += descriptor.size);
    return await search.read(descriptor);
  };

  const walk = async ({ digest, document }: ReadDocument, path: readonly string[]): Promise<void> => {
    if (document.kind !== "index") return;
    if (path.includes(digest)) {
      throw new RegistryError(
        "invalid-document",
        `Cannot search '${top.digest}': index '${digest}' holds itself`,
      );
    }
    if (path.length >= INDEX_DEPTH_LIMIT) {
      throw new RegistryError(
        "limit",
        `Cannot search '${top.digest}': more than ${INDEX_DEPTH_LIMIT} indexes inside each other`,
      );
    }
    for (const entry of document.entries) {
      const role = entryRole(entry, search.wanted);
      if (role === "nested-index") await walk(await read(entry), [...path, digest]);
      if (role === "match") matches.push(entry);
      if (role === "unnamed") unnamed.push(entry);
      if (role === "other" && entry.platform !== undefined) seen.push(entry.platform);
    }
  };
  await walk(top, []);

  const [first] = matches;
  if (first !== undefined) {
    warnOfOthers(first, matches, search.log);
    return { found: await manifestAt(first, read), seen };
  }
  for (const entry of unnamed) {
    const candidate = await manifestAt(entry, read);
    const platform = await search.platformOf(candidate.manifest);
    if (platform === undefined) continue;
    if (samePlatform(platform, search.wanted)) return { found: candidate, seen };
    seen.push(platform);
  }
  return { found: undefined, seen };
}

function warnOfOthers(first: Descriptor, matches: readonly Descriptor[], log: Log): void {
  const others = new Set(matches.map(({ digest }) => digest));
  others.delete(first.digest);
  if (others.size === 0) return;
  log.warn(
    `The index has ${others.size + 1} images for the wanted platform, taking the first, '${first.digest}'`,
  );
}

async function manifestAt(
  descriptor: Descriptor,
  read: (descriptor: Descriptor) => Promise<ReadDocument>,
): Promise<FoundManifest> {
  const { document, bytes } = await read(descriptor);
  if (document.kind === "manifest") return { descriptor, manifest: document, bytes };
  throw new RegistryError(
    "invalid-document",
    `Cannot use '${descriptor.digest}': it is an index where an image was announced`,
  );
}
