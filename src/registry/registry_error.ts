import { CodedError } from "../coded_error.ts";

/**
 * What can go wrong between us and a registry.
 *
 * `unreachable`: no (complete) answer; `auth-refused`: our credentials, or the lack of them; `not-found`: no such
 * repository, tag or blob; `content-mismatch`: other bytes than the digest or size promised; `platform-missing`: an
 * index without the wanted platform; `wrong-platform`: a single image for another one; `unsupported`: a document we
 * know and do not read; `limit`: more than we accept; `policy`: a redirect or realm we do not follow;
 * `invalid-document`: not what the specification allows; `rate-limited`: asked too often; `registry-failure`: the
 * registry's own error; `pin-mismatch`: another image than the pinned one; `bad-credentials-file`: a configuration
 * file that cannot be used; `bad-reference`: text that names no image.
 */
export type RegistryErrorCode =
  | "unreachable"
  | "auth-refused"
  | "not-found"
  | "content-mismatch"
  | "platform-missing"
  | "wrong-platform"
  | "unsupported"
  | "limit"
  | "policy"
  | "invalid-document"
  | "rate-limited"
  | "registry-failure"
  | "pin-mismatch"
  | "bad-credentials-file"
  | "bad-reference";

/** What may be known about a failure beside its code. */
export interface RegistryErrorOptions extends ErrorOptions {
  /** HTTP status of the answer that caused it. */
  readonly status?: number;
  /** Value of the answer's `Retry-After` header. */
  readonly retryAfter?: string;
  /** True when the same request may succeed later. */
  readonly retryable?: boolean;
}

/** A failure of the registry room. */
export class RegistryError extends CodedError<RegistryErrorCode> {
  /** HTTP status of the answer that caused it, if an answer did. */
  readonly status: number | undefined;
  /** `Retry-After` of that answer, unparsed. */
  readonly retryAfter: string | undefined;
  /** True when the same request may succeed later. */
  readonly retryable: boolean;

  /** The message follows the grammar of {@linkcode CodedError} and shows URLs only through `shownUrl`. */
  constructor(code: RegistryErrorCode, message: string, options: RegistryErrorOptions = {}) {
    super(code, message, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = options.status;
    this.retryAfter = options.retryAfter;
    this.retryable = options.retryable ?? false;
  }
}

/** A URL as it may be shown: without userinfo, query and fragment, which may hold secrets (presigned URLs do). */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** Text from outside as it may be shown: one line, bounded, control characters neutralised. */
export function shownText(text: string, limit = 200): string {
  // deno-fmt-ignore
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return line.length > limit ? `${line.slice(0, limit)}…` : line;
}
