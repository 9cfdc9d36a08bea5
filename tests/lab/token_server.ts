/**
 * A token server for the lab registry or a real one: `GET /token` and OAuth2 `POST /token`.
 *
 * @module
 */

import { type LabHttpServer, type LabTls, startHttpServer } from "./registry_http_server.ts";
import { errorReply } from "./registry_reply.ts";
import { TokenIssuer, type TokenIssuerOptions } from "./registry_token_issuer.ts";

/** What {@linkcode startTokenServer} serves. */
export interface TokenServerOptions extends TokenIssuerOptions {
  /** Plain HTTP when absent. */
  readonly tls?: LabTls;
}

/** A running token server: count, revoke and check tokens through `issuer`. */
export interface TokenServer extends LabHttpServer {
  /** The address challenges should name. */
  readonly realm: string;
  /** Counts, checks and revokes the tokens. */
  readonly issuer: TokenIssuer;
}

/** Starts a token server on a free port of 127.0.0.1. */
export async function startTokenServer(options: TokenServerOptions = {}): Promise<TokenServer> {
  const issuer = new TokenIssuer(options);
  const server = await startHttpServer({
    handler: async (request) =>
      request.path === "/token" ? await issuer.answer(request) : errorReply(404, "NOT_FOUND", "only /token"),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  return Object.assign(server, { realm: `${server.origin}/token`, issuer });
}
