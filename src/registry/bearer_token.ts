import * as v from "valibot";
import type { Challenge } from "./auth_challenge.ts";
import { tokenServer } from "./realm_policy.ts";
import { RegistryError, shownUrl } from "./registry_error.ts";

/** Proof for a registry that a token server lets us read. */
export interface BearerToken {
  /** Visible ASCII, fit for a header. */
  readonly value: string;
  /** When to ask for the next one: milliseconds since the Unix epoch. */
  readonly renewAt: number;
}

/** What to ask a token server for. */
export interface TokenQuestion {
  /** The realm, checked by `realm_policy.ts`; its own query is kept. */
  readonly server: URL;
  /** The registry's name for itself; may be missing. */
  readonly service: string | undefined;
  /** The challenged scope first: some servers look only at that one. */
  readonly scopes: readonly string[];
}

/** A token fits into a header of at most 16 KiB; an answer may hold it twice with a refresh token beside: 128 KiB. */
export const TOKEN_ANSWER_LIMIT: number = 128 * 1024;

/** Lifetime in seconds where the answer names none (distribution's token specification). */
const DEFAULT_LIFETIME = 60;
/** A token is renewed this much before its end, or a tenth of its lifetime before, whichever is shorter. */
const MARGIN = 30_000;
/** What a day-long pull needs at most; a longer promise is not relied upon. */
const LIFETIME_CAP = 24 * 3600;

/** Reads a Bearer challenge; throws `policy` when its realm is not acceptable. */
export function tokenQuestion(
  registry: URL,
  challenge: Challenge,
  repository: string | undefined,
): TokenQuestion {
  const challenged = (challenge.parameters.get("scope") ?? "").split(" ").filter((scope) => scope !== "");
  const own = repository === undefined ? [] : [`repository:${repository}:pull`];
  return {
    server: tokenServer(registry, challenge.parameters.get("realm")),
    service: challenge.parameters.get("service") || undefined,
    scopes: [...new Set([...challenged.map(onlyPull), ...own])],
  };
}

/** The challenged scope is the server's word: whatever it asks us to fetch a right for, reading is all we give. */
function onlyPull(scope: string): string {
  return scope.startsWith("repository:") ? scope.replace(/:[^:]*$/, ":pull") : scope;
}

/** Format: `<realm>?[<its own query>&][service=]&scope=...[&account=]` (distribution, "Token Authentication"). */
export function tokenUrl({ server, service, scopes }: TokenQuestion, account?: string): URL {
  const url = new URL(server);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  if (account !== undefined) url.searchParams.set("account", account);
  return url;
}

/** Body of the OAuth2 POST that turns a refresh token into an access token (distribution, "OAuth2 Token"). */
export function refreshBody({ service, scopes }: TokenQuestion, refreshToken: string): string {
  return new URLSearchParams({
    grant_type: "refresh_token",
    client_id: "flashjob",
    ...(service !== undefined ? { service } : {}),
    scope: scopes.join(" "),
    refresh_token: refreshToken,
  }).toString();
}

const AnswerSchema = v.object({
  token: v.nullish(v.string()),
  access_token: v.nullish(v.string()),
  expires_in: v.fallback(v.nullish(v.number()), undefined),
  issued_at: v.fallback(v.nullish(v.string()), undefined),
});

/** Reads a token server's answer; throws `invalid-document`, showing nothing of it. */
export function parseTokenAnswer(text: string, server: URL, now: number): BearerToken {
  const refuse = (found: string): never => {
    throw new RegistryError("invalid-document", `Cannot use the token of '${shownUrl(server)}': ${found}`);
  };
  // trust boundary: the token server's answer
  const answer = v.safeParse(AnswerSchema, parseQuietly(text));
  if (!answer.success) return refuse("the answer is no JSON object with a token");
  const value = answer.output.token || answer.output.access_token || "";
  if (!/^[\x21-\x7e]+$/.test(value)) {
    return refuse("the answer lacks a 'token' or 'access_token' fit for a header");
  }
  return { value, renewAt: renewalTime(answer.output, now) };
}

/** JSON.parse quotes what it cannot read, which may be the token. */
function parseQuietly(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The two clocks may differ. An issue time in our future, or so long ago that the token were dead on arrival, tells
 * of skew, not of age: then the lifetime counts from now.
 */
function renewalTime({ expires_in, issued_at }: v.InferOutput<typeof AnswerSchema>, now: number): number {
  const named = expires_in !== null && expires_in !== undefined && expires_in > 0
    ? expires_in
    : DEFAULT_LIFETIME;
  const lifetime = Math.min(named, LIFETIME_CAP) * 1000;
  const issued = Date.parse(issued_at ?? "");
  const isPlausible = issued <= now && issued + lifetime > now;
  return (isPlausible ? issued : now) + lifetime - Math.min(MARGIN, lifetime / 10);
}
