import type { Descriptor } from "./descriptor.ts";
import { algorithmOf, type Digest, hexOf } from "./digest.ts";
import { referrersUrl, type Source } from "./endpoints.ts";
import { demandBudget } from "./lookup_budget.ts";
import { DOCUMENT_LIMIT, parseDocument } from "./manifest.ts";
import type { DocumentReader } from "./document_reader.ts";
import { essence, INDEX_TYPES } from "./media_types.ts";
import type { ImageReference } from "./reference.ts";
import type { RegistryConnection } from "./registry_connection.ts";
import { RegistryError } from "./registry_error.ts";

/** Pages of one list: thousands of signatures. */
const PAGE_LIMIT = 16;

/** How registries say that they do not know the API: 404 as they should, or as if the path were a bad name. */
const NO_API: readonly number[] = [400, 404, 405];

/** What {@linkcode findReferrers} asks with. */
export interface ReferrersOptions {
  /** Asks registries. */
  readonly connection: RegistryConnection;
  /** Reads the fallback tag. */
  readonly documents: DocumentReader;
  /** Only referrers of this type; all when absent. */
  readonly artifactType?: string;
  /** Ends the wait; its reason is what is rejected with. */
  readonly signal: AbortSignal;
}

/**
 * The manifests that name `digest` as their subject (distribution-spec, "Listing Referrers"); by the tag schema where
 * the registry does not know that API. An empty list when the registry has none; that a mirror has none says nothing,
 * for it may hold the image alone.
 *
 * Rejects with `limit` for too many pages, with `policy` for a next page on another host.
 */
export async function findReferrers(
  reference: ImageReference,
  digest: Digest,
  options: ReferrersOptions,
): Promise<Descriptor[]> {
  const { artifactType } = options;
  // a registry may answer without having filtered
  const isWanted = (one: Descriptor): boolean =>
    artifactType === undefined || one.artifactType === artifactType;
  return await fromApi(reference, digest, { ...options, isWanted }).catch((failure: unknown) => {
    if (failure instanceof RegistryError && NO_API.includes(failure.status ?? 0)) return undefined;
    throw failure;
  }) ?? (await fromTag(reference, digest, options)).filter(isWanted);
}

async function fromApi(
  reference: ImageReference,
  digest: Digest,
  { connection, artifactType, signal, isWanted }: ReferrersOptions & {
    readonly isWanted: (one: Descriptor) => boolean;
  },
): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  let length = 0;
  let next: URL | undefined;
  for (let page = 0; page < PAGE_LIMIT; page++) {
    const following = next;
    const urlOf = (source: Source) =>
      following?.origin === source.origin.origin ? following : referrersUrl(source, digest, artifactType);
    const { entries, size, after } = await connection.get(reference, {
      urlOf,
      headers: { accept: INDEX_TYPES[0] ?? "" },
      limit: DOCUMENT_LIMIT,
      read: ({ bytes, headers, url, isMirror }) => {
        const announced = essence(headers.get("content-type"));
        const document = parseDocument(bytes, { announced, name: `referrers of ${digest}` });
        if (document.kind === "index") {
          const after = nextPage(headers.get("link"), url);
          const entries = document.entries.filter(isWanted);
          if (isMirror && after === undefined && found.length + entries.length === 0) {
            throw new RegistryError(
              "not-found",
              `Cannot list referrers of '${digest}': '${url.host}' has none`,
            );
          }
          return { entries, size: bytes.length, after };
        }
        throw new RegistryError(
          "invalid-document",
          `Cannot list referrers of '${digest}': the answer is no index`,
        );
      },
      signal,
    });
    demandBudget(`list referrers of '${digest}'`, length += size);
    found.push(...entries);
    next = after;
    if (next === undefined) return found;
  }
  throw new RegistryError("limit", `Cannot list referrers of '${digest}': more than ${PAGE_LIMIT} pages`);
}

/** Format: `<algorithm>-<at most 64 hex digits>` (distribution-spec, "Referrers Tag Schema"). */
async function fromTag(
  { registry, repository }: ImageReference,
  digest: Digest,
  { documents, signal }: ReferrersOptions,
): Promise<Descriptor[]> {
  const tag = `${algorithmOf(digest)}-${hexOf(digest).slice(0, 64)}`;
  try {
    const { document } = await documents.named({ registry, repository, tag }, signal);
    return document.kind === "index" ? [...document.entries] : [];
  } catch (failure) {
    if (failure instanceof RegistryError && failure.code === "not-found") return [];
    throw failure;
  }
}

/** `Link: <...>; rel="next"` (RFC 8288), which must stay on the host that sent it: it decides where we knock. */
function nextPage(link: string | null, url: URL): URL | undefined {
  const target = /^\s*<([^<>]{1,2048})>\s*;\s*rel="?next"?\s*(?:[;,]|$)/i.exec(link ?? "")?.[1];
  if (target === undefined) return undefined;
  const next = URL.canParse(target, url) ? new URL(target, url) : undefined;
  if (next?.origin === url.origin) return next;
  throw new RegistryError("policy", `Cannot follow the next page of '${url.host}': it lies on another host`);
}
