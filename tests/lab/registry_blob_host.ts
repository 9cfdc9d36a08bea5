/**
 * A second origin, as the object store behind a registry is one: it serves blobs by signed-looking URLs and records
 * what headers it saw.
 *
 * @module
 */

import { type AccessRule, refuseAccess } from "./registry_access.ts";
import { type LabHttpServer, type LabTls, startHttpServer } from "./registry_http_server.ts";
import { blobReply } from "./registry_pull.ts";
import { errorReply } from "./registry_reply.ts";

/** What {@linkcode startBlobHost} starts. */
export interface BlobHostOptions {
  /** Plain HTTP when absent. */
  readonly tls?: LabTls;
  /** Its own access rule, for a host that challenges after the redirect; open when absent. */
  readonly access?: AccessRule;
  /** Refuses requests that carry an Authorization header, as S3 does beside a signed URL. */
  readonly refusesAuthorization?: boolean;
}

/** A running blob host. */
export interface BlobHost extends LabHttpServer {
  /** What it holds, by digest. */
  readonly blobs: Map<string, Uint8Array>;
  /** The address of a blob; its query stands for a secret signature. */
  urlOf(digest: string): string;
}

/** Starts a blob host on a free port of 127.0.0.1. */
export async function startBlobHost(options: BlobHostOptions = {}): Promise<BlobHost> {
  const blobs = new Map<string, Uint8Array>();
  const server = await startHttpServer({
    handler: (request) => {
      if (options.refusesAuthorization && request.headers.has("authorization")) {
        return errorReply(400, "InvalidArgument", "Only one auth mechanism allowed");
      }
      const access = { repository: undefined, action: "pull" } as const;
      const refusal = options.access && refuseAccess(request, options.access, access);
      if (refusal !== undefined) return refusal;
      const digest = decodeURIComponent(request.path).replace("/blobs/", "");
      return blobReply(request, blobs.get(digest), digest);
    },
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  const urlOf = (digest: string) => `${server.origin}/blobs/${digest}?X-Signature=lab-signature`;
  return Object.assign(server, { blobs, urlOf });
}
