/**
 * The writing half of the distribution-spec, as far as `skopeo copy` and our own upload need it.
 *
 * Format: OCI distribution-spec 1.1, "Push".
 *
 * @module
 */

import { digestOf } from "../builders/oci_content.ts";
import { concatBytes } from "../builders/tar.ts";
import type { RecordedRequest } from "./recorded_request.ts";
import type { RegistryPath } from "./registry_pull.ts";
import { emptyReply, errorReply, type Reply } from "./registry_reply.ts";
import type { Repository } from "./registry_store.ts";

/** Uploads that have begun and not ended, by their id. */
export class Uploads {
  readonly #parts = new Map<string, Uint8Array[]>();

  /** Answers a POST, PATCH, PUT or DELETE. */
  answer(request: RecordedRequest, path: RegistryPath, repository: Repository): Reply {
    if (path.kind === "manifests" && request.method === "PUT") return putManifest(request, path, repository);
    if (path.kind !== "blobs" || !path.rest.startsWith("uploads/")) {
      return errorReply(405, "UNSUPPORTED", "the operation is unsupported");
    }
    if (request.method === "POST") return this.#begin(path);
    const id = path.rest.slice("uploads/".length);
    const parts = this.#parts.get(id);
    if (parts === undefined) return errorReply(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    parts.push(request.body);
    if (request.method === "PATCH") return uploadReply(202, path.repository, id, parts);
    this.#parts.delete(id);
    const blob = concatBytes(parts);
    const digest = request.query.get("digest") ?? "";
    if (digestOf(blob) !== digest) return errorReply(400, "DIGEST_INVALID", "the content has another digest");
    repository.blobs.set(digest, blob);
    return createdReply(`/v2/${path.repository}/blobs/${digest}`, digest);
  }

  #begin(path: RegistryPath): Reply {
    const id = crypto.randomUUID();
    this.#parts.set(id, []);
    return uploadReply(202, path.repository, id, []);
  }
}

function uploadReply(status: number, repository: string, id: string, parts: readonly Uint8Array[]): Reply {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return emptyReply(status, {
    Location: `/v2/${repository}/blobs/uploads/${id}`,
    Range: `0-${Math.max(0, size - 1)}`,
    "Docker-Upload-UUID": id,
  });
}

function putManifest(request: RecordedRequest, path: RegistryPath, repository: Repository): Reply {
  const digest = digestOf(request.body);
  if (path.rest.includes(":") && path.rest !== digest) {
    return errorReply(400, "DIGEST_INVALID", "the content has another digest");
  }
  const mediaType = request.headers.get("content-type") ?? "application/octet-stream";
  repository.manifests.set(digest, { digest, mediaType, bytes: request.body });
  if (!path.rest.includes(":")) repository.tags.set(path.rest, digest);
  return createdReply(`/v2/${path.repository}/manifests/${digest}`, digest);
}

function createdReply(location: string, digest: string): Reply {
  return emptyReply(201, { Location: location, "Docker-Content-Digest": digest });
}
