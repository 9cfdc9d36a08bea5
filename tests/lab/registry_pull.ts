/**
 * The reading half of the distribution-spec: manifests with content negotiation, blobs with ranges, tags, referrers.
 *
 * Format: OCI distribution-spec 1.1, "Pull" and "Content Discovery"; RFC 9110 section 14 for ranges.
 *
 * @module
 */

import type { RecordedRequest } from "./recorded_request.ts";
import { bytesReply, emptyReply, errorReply, jsonReply, type Reply } from "./registry_reply.ts";
import type { Repository } from "./registry_store.ts";

/** A request path under `/v2/<repository>/`. */
export interface RegistryPath {
  /** Name with all its components. */
  readonly repository: string;
  /** Which part of the API. */
  readonly kind: "manifests" | "blobs" | "tags" | "referrers";
  /** Tag, digest, `list`, or what stands after `blobs/`, such as `uploads/ID`. */
  readonly rest: string;
}

/** Splits a path of the registry API; `undefined` when it is none. */
export function parsePath(path: string): RegistryPath | undefined {
  const match = /^\/v2\/(.+?)\/(manifests|blobs|tags|referrers)\/(.*)$/.exec(decodeURIComponent(path));
  const [, repository, kind, rest] = match ?? [];
  if (repository === undefined || rest === undefined) return undefined;
  if (kind !== "manifests" && kind !== "blobs" && kind !== "tags" && kind !== "referrers") return undefined;
  return { repository, kind, rest };
}

/** Answers a GET or HEAD; `referrersApi` false answers 404 there, as registries before 1.1 do. */
export function answerPull(
  request: RecordedRequest,
  path: RegistryPath,
  { repository, referrersApi }: { repository: Repository | undefined; referrersApi: boolean },
): Reply {
  if (repository === undefined) {
    return errorReply(404, "NAME_UNKNOWN", "repository name not known to registry");
  }
  switch (path.kind) {
    case "manifests":
      return manifestReply(request, repository, path.rest);
    case "blobs":
      return blobReply(request, repository.blobs.get(path.rest), path.rest);
    case "tags":
      return tagsReply(request, path.repository, [...repository.tags.keys()].sort());
    case "referrers":
      return referrersApi
        ? referrersReply(request, repository, path.rest)
        : errorReply(404, "NOT_FOUND", "this registry has no referrers API");
  }
}

function manifestReply(request: RecordedRequest, repository: Repository, reference: string): Reply {
  const manifest = repository.manifest(reference);
  if (manifest === undefined) return errorReply(404, "MANIFEST_UNKNOWN", `manifest unknown: ${reference}`);
  // Only what is named counts: real registries do not take "*/*" for "I can read an index" either.
  const accepted = (request.headers.get("accept") ?? "").split(",").map((one) => one.split(";")[0]?.trim());
  if (!accepted.includes(manifest.mediaType)) {
    return errorReply(404, "MANIFEST_UNKNOWN", `accept header does not support ${manifest.mediaType}`);
  }
  return bytesReply(200, manifest.bytes, {
    "Content-Type": manifest.mediaType,
    "Docker-Content-Digest": manifest.digest,
  });
}

/** The blob, or the range of it that is asked for; also what a blob host answers. */
export function blobReply(request: RecordedRequest, blob: Uint8Array | undefined, digest: string): Reply {
  if (blob === undefined) return errorReply(404, "BLOB_UNKNOWN", `blob unknown to registry: ${digest}`);
  const headers = {
    "Content-Type": "application/octet-stream",
    "Docker-Content-Digest": digest,
    "Accept-Ranges": "bytes",
  };
  const range = request.headers.get("range");
  if (range === null) return bytesReply(200, blob, headers);
  const bounds = rangeBounds(range, blob.length);
  if (bounds === undefined) return emptyReply(416, { "Content-Range": `bytes */${blob.length}` });
  const [first, last] = bounds;
  const body = blob.subarray(first, last + 1);
  return {
    ...bytesReply(206, body, { ...headers, "Content-Range": `bytes ${first}-${last}/${blob.length}` }),
    whole: blob,
  };
}

/** First and last byte of a single `bytes=` range, or `undefined` when nothing of it exists. */
function rangeBounds(range: string, size: number): readonly [number, number] | undefined {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  if (first === "" && last === "") return undefined;
  const from = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return from <= to ? [from, to] : undefined;
}

function tagsReply(request: RecordedRequest, name: string, all: readonly string[]): Reply {
  const last = request.query.get("last") ?? "";
  const count = Number(request.query.get("n") ?? all.length);
  const rest = all.filter((tag) => tag > last);
  const tags = rest.slice(0, count);
  const more = rest.length > tags.length
    ? { Link: `</v2/${name}/tags/list?n=${count}&last=${tags.at(-1)}>; rel="next"` }
    : undefined;
  return jsonReply(200, { name, tags }, more);
}

function referrersReply(request: RecordedRequest, repository: Repository, digest: string): Reply {
  const artifactType = request.query.get("artifactType");
  const manifests = repository.referrers(digest).filter((one) =>
    artifactType === null || one.artifactType === artifactType
  );
  const mediaType = "application/vnd.oci.image.index.v1+json";
  return jsonReply(200, { schemaVersion: 2, mediaType, manifests }, {
    "Content-Type": mediaType,
    ...(artifactType === null ? {} : { "OCI-Filters-Applied": "artifactType" }),
  });
}
