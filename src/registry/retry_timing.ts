import { networkFault } from "../network_fault.ts";
import { backoffDelay, type RetryDecision } from "../retry.ts";
import { RegistryError } from "./registry_error.ts";

/** Tries of one request, the first included: with the delays below about 8 seconds of patience. */
export const ATTEMPT_LIMIT = 5;
/** 0.5 s, 1 s, 2 s, 4 s before jitter. */
const BASE_DELAY = 500;
const DELAY_CAP = 30_000;
/** The longest wait a server may ask of us; the job's deadline may end it earlier. */
const RETRY_AFTER_CAP = 60_000;
/** More than an hour is not a request to wait: Docker Hub has sent a Unix timestamp there. */
const RETRY_AFTER_ABSURD = 3_600_000;

/** Answers after which the same request may succeed; 499 and 520 to 524 are those of nginx and of Cloudflare. */
const PASSING_STATUSES: readonly number[] = [408, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524];

/** True for an answer that is worth asking again. */
export function isPassingStatus(status: number): boolean {
  return PASSING_STATUSES.includes(status);
}

/** True when a request that got no answer may get one later. */
export function isPassingFault(error: unknown): boolean {
  const fault = networkFault(error);
  return fault !== "tls" && fault !== "blocked-port" && fault !== "permission";
}

/** What {@linkcode retryDecision} needs beside the failure. */
export interface RetryCircumstances {
  /** Milliseconds since the Unix epoch, for a `Retry-After` that is a date. */
  readonly now: number;
  /** A number in [0, 1), for the jitter. */
  readonly random: number;
}

/** What follows failure number `attempt` (1 is the first) of a request. */
export function retryDecision(
  attempt: number,
  failure: unknown,
  { now, random }: RetryCircumstances,
): RetryDecision {
  if (!(failure instanceof RegistryError) || !failure.retryable || attempt >= ATTEMPT_LIMIT) return "stop";
  const asked = failure.retryAfter === undefined ? undefined : parseRetryAfter(failure.retryAfter, now);
  // a server whose clock is behind ours names dates of the past: without our own delay all tries were spent at once
  const own = backoffDelay(attempt, { base: BASE_DELAY, cap: DELAY_CAP, random });
  return { retryAfter: Math.max(asked ?? 0, own) };
}

/**
 * `Retry-After` in milliseconds (RFC 9110, section 10.2.3: seconds or a date), capped; `undefined` for what is
 * neither or absurd. A date in the past means now.
 */
export function parseRetryAfter(value: string, now: number): number | undefined {
  const text = value.trim();
  const date = /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : NaN;
  const wait = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : date - now;
  if (Number.isNaN(wait) || wait > RETRY_AFTER_ABSURD) return undefined;
  return Math.min(Math.max(wait, 0), RETRY_AFTER_CAP);
}
