import type { World } from "../world.ts";
import {
  type BearerToken,
  parseTokenAnswer,
  refreshBody,
  TOKEN_ANSWER_LIMIT,
  type TokenQuestion,
  tokenUrl,
} from "./bearer_token.ts";
import { discard, readBody, readFailure } from "./bounded_body.ts";
import { basicAuthorization, type Credential, type PasswordCredential } from "./credential.ts";
import { failureOf } from "./failed_answer.ts";
import { isRedirect, redirectTarget } from "./redirect_policy.ts";
import { RegistryError, shownUrl } from "./registry_error.ts";
import type { Wire } from "./wire.ts";

/** A token server has no reason to send us around. */
const TOKEN_REDIRECT_LIMIT = 3;

/** Answers of token servers that do not know the POST of OAuth2: ACR 400, Artifactory 401, GCR 404, others 405. */
const NO_POST: readonly number[] = [400, 401, 404, 405];

/**
 * Asks a token server. A refresh token goes by POST, or as a password where the server knows no POST.
 *
 * Rejects with `auth-refused` when the server does not accept the credential.
 */
export async function fetchToken(
  question: TokenQuestion,
  options: { readonly credential: Credential | undefined; readonly wire: Wire; readonly signal: AbortSignal },
  world: World,
): Promise<BearerToken> {
  const { credential, wire, signal } = options;
  if (credential?.kind === "identity") {
    wire.secrets.note(credential.token);
    const response = await wire.send(question.server, {
      method: "POST",
      headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
      body: refreshBody(question, credential.token),
      signal,
    });
    if (!NO_POST.includes(response.status)) {
      return await readToken(response, question.server, { wire, world, signal });
    }
    await discard(response);
  }
  const password = credential?.kind === "identity" ? credential.fallback : credential;
  const response = await getToken(question, password?.kind === "password" ? password : undefined, {
    wire,
    signal,
  });
  return await readToken(response, question.server, { wire, world, signal });
}

async function getToken(
  question: TokenQuestion,
  password: PasswordCredential | undefined,
  { wire, signal }: { readonly wire: Wire; readonly signal: AbortSignal },
): Promise<Response> {
  let url = tokenUrl(question, password?.username);
  const headers = {
    accept: "application/json",
    ...(password === undefined ? {} : { authorization: basicAuthorization(password) }),
  };
  for (let hops = 0;; hops++) {
    const response = await wire.send(url, { headers, signal });
    if (!isRedirect(response.status)) return response;
    await discard(response);
    const target = redirectTarget(url, response.headers.get("location"), hops);
    if (target.origin !== url.origin || hops >= TOKEN_REDIRECT_LIMIT) {
      throw new RegistryError(
        "policy",
        `Cannot ask '${shownUrl(question.server)}' for a token: it redirects to '${shownUrl(target)}'`,
      );
    }
    url = target;
  }
}

async function readToken(
  response: Response,
  server: URL,
  { wire, world, signal }: { readonly wire: Wire; readonly world: World; readonly signal: AbortSignal },
): Promise<BearerToken> {
  if (response.status === 200) {
    const bytes = await readBody(response, { limit: TOKEN_ANSWER_LIMIT, url: server, signal });
    return parseTokenAnswer(new TextDecoder().decode(bytes), server, world.clock.now());
  }
  const { status } = response;
  const failure = failureOf(await readFailure(response, { url: server, signal }), wire.secrets);
  if (failure.retryable || failure.code === "auth-refused") throw failure;
  // a token server's 400 is about our credentials as much as its 401 is; nothing else it says is about the image
  const code = response.status === 400 ? "auth-refused" : "registry-failure";
  throw new RegistryError(code, `${failure.message}, when asked for a token`, { status });
}
