import * as v from "valibot";
import { isPassingStatus } from "./retry_timing.ts";
import { RegistryError, type RegistryErrorCode, shownText, shownUrl } from "./registry_error.ts";
import type { SentSecrets } from "./sent_secrets.ts";

/** Errors of a registry are a few hundred bytes, of a proxy a page; distribution-spec names no limit. */
export const ERROR_BODY_LIMIT: number = 64 * 1024;

const ErrorsSchema = v.object({
  errors: v.pipe(
    v.array(v.object({ code: v.nullish(v.string(), ""), message: v.nullish(v.string(), "") })),
    v.minLength(1),
  ),
});

const TokenErrorSchema = v.object({
  details: v.optional(v.string()),
  error_description: v.optional(v.string()),
  error: v.optional(v.string()),
});

/** An answer other than the wanted one. */
export interface FailedAnswer {
  /** What was asked for. */
  readonly url: URL;
  /** Its HTTP status. */
  readonly status: number;
  /** Its headers; hostile. */
  readonly headers: Headers;
  /** Bounded by {@linkcode ERROR_BODY_LIMIT}; hostile. */
  readonly body: string;
}

/** The failure that an answer means, in one sentence (distribution-spec, "Error Codes"). */
export function failureOf(answer: FailedAnswer, secrets: SentSecrets): RegistryError {
  const { url, status, headers } = answer;
  const retryAfter = headers.get("retry-after");
  const said = shownText(secrets.hide(serverWords(answer.body)));
  return new RegistryError(
    codeOf(status),
    `Cannot get '${shownUrl(url)}': the server answered ${status}${said === "" ? "" : ` (${said})`}${
      advice(status, headers)
    }`,
    { status, retryable: isPassingStatus(status), ...(retryAfter === null ? {} : { retryAfter }) },
  );
}

/** True when the words of an answer mean that the token, not the right, is missing: public ECR says so with 400. */
export function saysTokenInvalid({ headers, body }: FailedAnswer): boolean {
  return /error="?invalid_token/i.test(headers.get("www-authenticate") ?? "") ||
    /token[^"]{0,40}(?:invalid|expired)|(?:invalid|expired)[^"]{0,20}token/i.test(serverWords(body));
}

function codeOf(status: number): RegistryErrorCode {
  if (status === 401 || status === 403) return "auth-refused";
  if (status === 404 || status === 410) return "not-found";
  return status === 429 ? "rate-limited" : "registry-failure";
}

function advice(status: number, headers: Headers): string {
  if (status !== 429) return "";
  const remaining = headers.get("ratelimit-remaining");
  return remaining === null ? "" : `, rate limit remaining: ${shownText(remaining, 40)}`;
}

/** What a registry or token server says about its error, hostile; empty for pages of proxies. */
function serverWords(body: string): string {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return "";
  }
  const errors = v.safeParse(ErrorsSchema, json);
  if (errors.success) {
    const [first] = errors.output.errors;
    return [first?.code, first?.message].filter((part) => part).join(": ");
  }
  const token = v.safeParse(TokenErrorSchema, json);
  return token.success
    ? token.output.details ?? token.output.error_description ?? token.output.error ?? ""
    : "";
}
