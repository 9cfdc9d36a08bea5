/**
 * Issues and checks bearer tokens, apart from any socket.
 *
 * Formats: distribution "Token Authentication Specification" (GET) and "Oauth2 Token Authentication" (POST).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { RecordedRequest } from "./recorded_request.ts";
import { jsonReply, type Reply } from "./registry_reply.ts";

/** One thing a token allows, such as `pull` on `team/app`. */
export interface TokenGrant {
  /** Name of the repository. */
  readonly repository: string;
  /** `pull`, `push`. */
  readonly actions: readonly string[];
}

/** A token that was issued. */
export interface IssuedToken {
  /** The text clients show. */
  readonly token: string;
  /** `undefined` for an anonymous client. */
  readonly user: string | undefined;
  /** All that it allows. */
  readonly grants: readonly TokenGrant[];
  /** How it was asked for. */
  readonly via: "GET" | "POST";
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** True once it is no longer accepted. */
  revoked: boolean;
}

/** Makes the token's text; {@linkcode TokenIssuer} makes opaque ones without it. */
export type TokenSigner = (
  claims: { user: string; service: string; grants: readonly TokenGrant[]; lifetimeSeconds: number },
) => Promise<string>;

/** Whom a token server serves, and how. */
export interface TokenIssuerOptions {
  /** The service clients must ask for; `lab-registry` when absent. */
  readonly service?: string;
  /** Passwords by user name; nobody when absent. */
  readonly users?: Readonly<Record<string, string>>;
  /** Users by their identity tokens, for POST with a refresh token. */
  readonly identityTokens?: Readonly<Record<string, string>>;
  /** What clients without credentials get: a token that can pull (default without users), one for nothing (default with users), or 401. */
  readonly anonymous?: "pull" | "nothing" | "refused";
  /** Which repositories a user, or everybody for `undefined`, may use; all when absent. */
  readonly mayUse?: (user: string | undefined, repository: string) => boolean;
  /** How long tokens really live; 300 when absent. */
  readonly lifetimeSeconds?: number;
  /** Under which name the token is sent; by GET `token` and by POST `access_token` when absent. */
  readonly field?: "token" | "access_token" | "both";
  /** Answers every POST with this status, as servers without OAuth2 do (400, 401, 404, 405). */
  readonly postStatus?: number;
  /** Changes the answer, for instance its `expires_in` and `issued_at`. */
  readonly edit?: (document: Record<string, unknown>) => unknown;
  /** Opaque tokens when absent. */
  readonly sign?: TokenSigner;
}

/** Issues tokens and tells what they allow. */
export class TokenIssuer {
  /** Name of the service, as challenges carry it. */
  readonly service: string;
  /** Every token issued, in order. */
  readonly issued: IssuedToken[] = [];
  readonly #options: TokenIssuerOptions;
  readonly #identities: Map<string, string>;

  /** Nothing is issued yet. */
  constructor(options: TokenIssuerOptions) {
    this.service = options.service ?? "lab-registry";
    this.#options = options;
    this.#identities = new Map(Object.entries(options.identityTokens ?? {}));
  }

  /** Makes this token, or every token so far, invalid. */
  revoke(token?: string): void {
    for (const one of this.issued) one.revoked ||= token === undefined || one.token === token;
  }

  /** Whether the token allows the action; without a repository, whether it is valid at all. */
  check(token: string, repository?: string, action = "pull"): "valid" | "invalid" | "insufficient" {
    const found = this.issued.find((one) => one.token === token);
    if (found === undefined || found.revoked || Date.now() >= found.expiresAt) return "invalid";
    if (repository === undefined) return "valid";
    const allows = found.grants.some((grant) =>
      grant.repository === repository && grant.actions.includes(action)
    );
    return allows ? "valid" : "insufficient";
  }

  /** Answers a request to the token endpoint. */
  async answer(request: RecordedRequest): Promise<Reply> {
    if (request.method === "GET") return await this.#answerGet(request);
    if (request.method !== "POST") return refusal(405, "only GET and POST");
    if (this.#options.postStatus !== undefined) return refusal(this.#options.postStatus, "no OAuth2 here");
    return await this.#answerPost(new URLSearchParams(new TextDecoder().decode(request.body)));
  }

  async #answerGet(request: RecordedRequest): Promise<Reply> {
    const service = request.query.get("service");
    if (service !== null && service !== this.service) return refusal(400, `unknown service ${service}`);
    const credentials = basicCredentials(request.headers.get("authorization"));
    if (credentials !== undefined && !this.#isUser(credentials)) {
      return refusal(401, "incorrect username or password");
    }
    if (credentials === undefined && this.#anonymous() === "refused") {
      return refusal(401, "authentication required");
    }
    const issued = await this.#issue(credentials?.user, request.query.getAll("scope"), "GET");
    const offline = credentials !== undefined && request.query.get("offline_token") === "true";
    return this.#tokenReply(issued, offline ? { refresh_token: this.#newIdentity(credentials.user) } : {});
  }

  async #answerPost(form: URLSearchParams): Promise<Reply> {
    if (form.get("service") !== this.service) return refusal(400, "unknown service");
    if (form.get("client_id") === null) return refusal(400, "client_id is missing");
    const user = this.#userOf(form);
    if (user === undefined) return refusal(401, "invalid grant");
    const issued = await this.#issue(user, form.getAll("scope"), "POST");
    const offline = form.get("access_type") === "offline";
    return this.#tokenReply(issued, offline ? { refresh_token: this.#newIdentity(user) } : {});
  }

  #userOf(form: URLSearchParams): string | undefined {
    if (form.get("grant_type") === "refresh_token") {
      return this.#identities.get(form.get("refresh_token") ?? "");
    }
    const credentials = { user: form.get("username") ?? "", password: form.get("password") ?? "" };
    return form.get("grant_type") === "password" && this.#isUser(credentials) ? credentials.user : undefined;
  }

  #isUser({ user, password }: Credentials): boolean {
    return Object.hasOwn(this.#options.users ?? {}, user) && this.#options.users?.[user] === password;
  }

  #anonymous(): "pull" | "nothing" | "refused" {
    return this.#options.anonymous ?? (this.#options.users === undefined ? "pull" : "nothing");
  }

  #newIdentity(user: string): string {
    const identity = `identity-${crypto.randomUUID()}`;
    this.#identities.set(identity, user);
    return identity;
  }

  async #issue(
    user: string | undefined,
    scopes: readonly string[],
    via: "GET" | "POST",
  ): Promise<IssuedToken> {
    const lifetimeSeconds = this.#options.lifetimeSeconds ?? 300;
    const grants = scopes.flatMap((scope) => scope.split(" ")).flatMap((scope) => this.#grant(user, scope));
    const claims = { user: user ?? "", service: this.service, grants, lifetimeSeconds };
    const token = await this.#options.sign?.(claims) ?? `lab-${crypto.randomUUID()}`;
    const issued = {
      token,
      user,
      grants,
      via,
      expiresAt: Date.now() + lifetimeSeconds * 1000,
      revoked: false,
    };
    this.issued.push(issued);
    return issued;
  }

  /** What of `repository:<name>:<actions>` the user gets. */
  #grant(user: string | undefined, scope: string): TokenGrant[] {
    const [, repository, asked] = /^repository:(.+):([^:]+)$/.exec(scope) ?? [];
    if (repository === undefined || asked === undefined) return [];
    if (!(this.#options.mayUse?.(user, repository) ?? true)) return [];
    const allowed = user !== undefined ? ["pull", "push"] : this.#anonymous() === "pull" ? ["pull"] : [];
    const actions = asked.split(",").filter((action) => allowed.includes(action));
    return actions.length > 0 ? [{ repository, actions }] : [];
  }

  #tokenReply(issued: IssuedToken, more: Record<string, unknown>): Reply {
    const field = this.#options.field ?? (issued.via === "GET" ? "token" : "access_token");
    const lifetimeSeconds = this.#options.lifetimeSeconds ?? 300;
    const document = {
      ...(field === "access_token" ? {} : { token: issued.token }),
      ...(field === "token" ? {} : { access_token: issued.token }),
      expires_in: lifetimeSeconds,
      issued_at: new Date(issued.expiresAt - lifetimeSeconds * 1000).toISOString(),
      ...more,
    };
    return jsonReply(200, this.#options.edit?.(document) ?? document);
  }
}

/** A user name with its password. */
export interface Credentials {
  /** Name of the user. */
  readonly user: string;
  /** In the clear: they are all made up. */
  readonly password: string;
}

/** Credentials of a Basic Authorization header, if it is one (RFC 7617). */
export function basicCredentials(authorization: string | null): Credentials | undefined {
  const [, encoded] = /^Basic\s+(\S+)$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function refusal(status: number, details: string): Reply {
  return jsonReply(status, { details });
}
