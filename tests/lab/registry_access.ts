/**
 * Who may use the lab registry: the challenge to a request that does not prove it, or nothing when it does.
 *
 * Formats: RFC 9110 section 11; distribution "Token Authentication Specification", "Requesting a Token".
 *
 * @module
 */

import type { RecordedRequest } from "./recorded_request.ts";
import { errorReply, type Reply, withHeaders } from "./registry_reply.ts";
import { basicCredentials, type Credentials, type TokenIssuer } from "./registry_token_issuer.ts";

/** How access is proven. */
export type AccessRule =
  | { readonly kind: "open" }
  | ({ readonly kind: "basic" } & Credentials)
  | { readonly kind: "token"; readonly issuer: TokenIssuer; readonly realm: string };

/** The 401 for a request that may not do `action` on `repository`, or `undefined` when it may. */
export function refuseAccess(
  request: RecordedRequest,
  rule: AccessRule,
  { repository, action }: { repository: string | undefined; action: "pull" | "push" },
): Reply | undefined {
  const authorization = request.headers.get("authorization");
  if (rule.kind === "open") return undefined;
  if (rule.kind === "basic") {
    const shown = basicCredentials(authorization);
    if (shown?.user === rule.user && shown.password === rule.password) return undefined;
    return challenge('Basic realm="Lab registry"');
  }
  const [, token] = /^Bearer\s+(\S+)$/i.exec(authorization ?? "") ?? [];
  const verdict = token === undefined ? "missing" : rule.issuer.check(token, repository, action);
  if (verdict === "valid") return undefined;
  const actions = action === "pull" ? "pull" : "pull,push";
  const error = {
    missing: "",
    invalid: ',error="invalid_token"',
    insufficient: ',error="insufficient_scope"',
  };
  return challenge(
    `Bearer realm="${rule.realm}",service="${rule.issuer.service}"` +
      (repository === undefined ? "" : `,scope="repository:${repository}:${actions}"`) + error[verdict],
  );
}

function challenge(value: string): Reply {
  return withHeaders(errorReply(401, "UNAUTHORIZED", "authentication required"), {
    "WWW-Authenticate": value,
  });
}
