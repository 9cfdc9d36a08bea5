/**
 * A registry on loopback that really speaks the distribution-spec, records every request, and gives any wrong answer
 * it is told to.
 *
 * @module
 */

import type { OciImage } from "../builders/oci_image.ts";
import type { RecordedRequest } from "./recorded_request.ts";
import { type AccessRule, refuseAccess } from "./registry_access.ts";
import type { BlobHost } from "./registry_blob_host.ts";
import { type LabHttpServer, type LabTls, startHttpServer } from "./registry_http_server.ts";
import { answerPull, parsePath } from "./registry_pull.ts";
import { Uploads } from "./registry_push.ts";
import { emptyReply, errorReply, jsonReply, type Reply, withHeaders } from "./registry_reply.ts";
import { Repository } from "./registry_store.ts";
import { TokenIssuer, type TokenIssuerOptions } from "./registry_token_issuer.ts";
import { startTokenServer, type TokenServer } from "./token_server.ts";

/** How clients prove who they are. */
export type RegistryAuth =
  | { readonly kind: "open" }
  | { readonly kind: "basic"; readonly user: string; readonly password: string }
  | {
    readonly kind: "token";
    /** `own-origin`: `/token` of the registry itself; `other-origin` (default): a token server beside it. */
    readonly place?: "own-origin" | "other-origin";
    /** Advertised in place of the true address of the token server. */
    readonly realm?: string;
    readonly tokens?: TokenIssuerOptions;
  };

/** What {@linkcode startRegistry} starts. */
export interface RegistryOptions {
  /** Open when absent. */
  readonly auth?: RegistryAuth;
  /** Plain HTTP when absent. */
  readonly tls?: LabTls;
  /** False: no referrers API, `put` writes the fallback tag instead. */
  readonly referrersApi?: boolean;
  /** Blobs are redirected there. */
  readonly blobHost?: BlobHost;
}

/** A running registry. */
export interface LabRegistry extends LabHttpServer {
  /** Issues its tokens, where it asks for tokens. */
  readonly issuer: TokenIssuer | undefined;
  /** The token server beside it, where there is one. */
  readonly tokenServer: TokenServer | undefined;
  /** Keeps an image, and tags it when a tag is given. Returns `HOST/REPOSITORY:TAG`, or `...@DIGEST` without a tag. */
  put(image: OciImage, repository: string, tag?: string): string;
  /** The content of a repository, made when it is new. */
  repository(name: string): Repository;
}

/** Starts a registry on a free port of 127.0.0.1. */
export async function startRegistry(options: RegistryOptions = {}): Promise<LabRegistry> {
  const auth = options.auth ?? { kind: "open" };
  const isBeside = auth.kind === "token" && auth.place !== "own-origin";
  const tokenServer = isBeside ? await startTokenServer(auth.tokens) : undefined;
  const issuer = auth.kind === "token"
    ? tokenServer?.issuer ?? new TokenIssuer(auth.tokens ?? {})
    : undefined;
  const content = new RegistryContent(options);

  const ruleOf = (ownOrigin: string): AccessRule => {
    if (auth.kind !== "token" || issuer === undefined) return auth.kind === "basic" ? auth : { kind: "open" };
    return { kind: "token", issuer, realm: auth.realm ?? tokenServer?.realm ?? `${ownOrigin}/token` };
  };
  const server: LabHttpServer = await startHttpServer({
    handler: async (request) => {
      if (request.path === "/token" && issuer !== undefined && !isBeside) return await issuer.answer(request);
      const reply = content.answer(request, ruleOf(server.origin));
      return withHeaders(reply, { "Docker-Distribution-API-Version": "registry/2.0" });
    },
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  const stopServer = server[Symbol.asyncDispose].bind(server);
  return Object.assign(server, {
    issuer,
    tokenServer,
    put: (image: OciImage, name: string, tag?: string) => `${server.host}/${content.put(image, name, tag)}`,
    repository: (name: string) => content.repository(name),
    async [Symbol.asyncDispose](): Promise<void> {
      await stopServer();
      await tokenServer?.[Symbol.asyncDispose]();
    },
  });
}

/** The repositories and what requests do with them. */
class RegistryContent {
  readonly #repositories = new Map<string, Repository>();
  readonly #uploads = new Uploads();
  readonly #options: RegistryOptions;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  repository(name: string): Repository {
    const repository = this.#repositories.get(name) ?? new Repository();
    this.#repositories.set(name, repository);
    return repository;
  }

  put(image: OciImage, name: string, tag: string | undefined): string {
    const repository = this.repository(name);
    repository.putImage(image);
    for (const { descriptor, bytes } of image.blobs) {
      this.#options.blobHost?.blobs.set(descriptor.digest, bytes);
    }
    if (this.#options.referrersApi === false) repository.tagAllReferrers();
    if (tag === undefined) return `${name}@${image.descriptor.digest}`;
    repository.tags.set(tag, image.descriptor.digest);
    return `${name}:${tag}`;
  }

  answer(request: RecordedRequest, rule: AccessRule): Reply {
    const isRead = request.method === "GET" || request.method === "HEAD";
    const path = parsePath(request.path);
    const access = { repository: path?.repository, action: isRead ? "pull" : "push" } as const;
    const refusal = refuseAccess(request, rule, access);
    if (refusal !== undefined) return refusal;
    if (request.path === "/v2/") return jsonReply(200, {});
    if (path === undefined) return errorReply(404, "NOT_FOUND", "no such path in the registry API");
    if (!isRead) return this.#uploads.answer(request, path, this.repository(path.repository));
    const { blobHost, referrersApi = true } = this.#options;
    if (blobHost !== undefined && path.kind === "blobs" && blobHost.blobs.has(path.rest)) {
      return emptyReply(307, { Location: blobHost.urlOf(path.rest) });
    }
    return answerPull(request, path, { repository: this.#repositories.get(path.repository), referrersApi });
  }
}
