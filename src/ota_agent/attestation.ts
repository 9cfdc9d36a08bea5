import { DeadlineError, within } from "../deadline.ts";
import { networkFault } from "../network_fault.ts";
import { backoffDelay } from "../retry.ts";
import type { Clock, HttpClient, World } from "../world.ts";
import { certificatePem, type DiceCertificate } from "./dice_certificate.ts";

/** Why the attestation server gave no verdict. */
export type AttestationFault =
  /** No connection: nothing listens, or no such host. */
  | "unreachable"
  /** It took longer than it may. */
  | "timeout"
  /** The connection broke before an answer. */
  | "broken"
  /** A status that is no verdict, 405 or 503 for example. */
  | "status";

/** What the attestation server says of a certificate. `ms` is how long it took to know. */
export type AttestationVerdict =
  | { readonly kind: "genuine"; readonly ms: number }
  | { readonly kind: "refused"; readonly ms: number; readonly message: string }
  | {
    readonly kind: "unavailable";
    readonly ms: number;
    readonly message: string;
    readonly fault: AttestationFault;
    /** The answer's status when there was one. */
    readonly status?: number;
  };

/** What an inquiry is bounded by. */
export interface AttestationOptions {
  /** Milliseconds for all attempts together. */
  readonly timeout: number;
  /** Ends the inquiry; its reason is passed on. */
  readonly signal: AbortSignal;
}

/** One attempt's result: a verdict, or a fault with the reason to try again or not. */
type Attempt =
  | { readonly kind: "genuine" }
  | { readonly kind: "refused"; readonly status: number }
  | {
    readonly kind: "fault";
    readonly fault: AttestationFault;
    readonly found: string;
    readonly status?: number;
  };

/** The device waits meanwhile, so the second attempt follows soon. */
const RETRY_BASE = 200;
const RETRY_CAP = 1_000;

/**
 * Asks the attestation server whether `certificate` is a genuine device's: `POST` of its PEM as `text/plain`, never
 * through a proxy. Only 200 authorises. 401 and 403 refuse, and are not asked again; a server that cannot answer is
 * asked again while time allows, one that answers another 4xx or a redirect is not, as it would not change its mind.
 *
 * Rejects only with the signal's reason.
 */
export async function attestDevice(
  inquiry: { readonly url: URL; readonly certificate: DiceCertificate },
  world: World,
  options: AttestationOptions,
): Promise<AttestationVerdict> {
  const { clock } = world;
  const start = clock.now();
  const where = `${inquiry.url.protocol}//${inquiry.url.host}`;
  using http = world.openHttp({ proxy: "direct" });
  let earlier: Attempt | undefined;
  for (let attempt = 1;; attempt++) {
    const left = options.timeout - (clock.now() - start);
    const answer = await ask(http, inquiry, { clock, milliseconds: left, signal: options.signal });
    // What a last attempt found that had hardly any time is that time; the one before knows more.
    const isCutShort = answer.kind === "fault" && answer.fault === "timeout" && left < RETRY_CAP;
    const result = isCutShort ? earlier ?? answer : answer;
    earlier = result;
    const ms = clock.now() - start;
    if (result.kind === "genuine") return { kind: "genuine", ms };
    if (result.kind === "refused") {
      return {
        kind: "refused",
        ms,
        message:
          `Cannot authorise the device: '${where}' answered ${result.status}, it does not know the device's certificate`,
      };
    }
    const delay = backoffDelay(attempt, { base: RETRY_BASE, cap: RETRY_CAP, random: world.random() });
    if (!isTransient(result) || ms + delay >= options.timeout) {
      return {
        kind: "unavailable",
        ms,
        fault: result.fault,
        ...(result.status === undefined ? {} : { status: result.status }),
        message: `Cannot ask the attestation server '${where}': ${result.found}, a verdict within ` +
          `${options.timeout} ms is needed`,
      };
    }
    await clock.sleep(delay, options.signal);
  }
}

function isTransient(result: { readonly fault: AttestationFault; readonly status?: number }): boolean {
  return result.status === undefined || result.status >= 500 || result.status === 429 ||
    result.status === 408;
}

async function ask(
  http: HttpClient,
  inquiry: { readonly url: URL; readonly certificate: DiceCertificate },
  bounds: { readonly clock: Clock; readonly milliseconds: number; readonly signal: AbortSignal },
): Promise<Attempt> {
  try {
    return await within({ ...bounds, what: "the attestation server" }, async (signal) => {
      const response = await http.fetch(inquiry.url, {
        method: "POST",
        headers: { "content-type": "text/plain", "connection": "close" },
        body: certificatePem(inquiry.certificate),
        signal,
      });
      // The status is the verdict; the body only repeats it, so it is not read.
      await response.body?.cancel();
      return judgeStatus(response.status);
    });
  } catch (error) {
    bounds.signal.throwIfAborted();
    return judgeFailure(error);
  }
}

function judgeStatus(status: number): Attempt {
  if (status === 200) return { kind: "genuine" };
  if (status === 401 || status === 403) return { kind: "refused", status };
  return { kind: "fault", fault: "status", found: `it answered ${status}`, status };
}

function judgeFailure(error: unknown): Attempt {
  if (error instanceof DeadlineError) {
    return { kind: "fault", fault: "timeout", found: "it did not answer in time" };
  }
  const fault = networkFault(error);
  switch (fault) {
    case "refused":
      return { kind: "fault", fault: "unreachable", found: "nothing listens there" };
    case "unresolved":
      return { kind: "fault", fault: "unreachable", found: "there is no such host" };
    case "unreachable":
    case "blocked-port":
    case "permission":
      return { kind: "fault", fault: "unreachable", found: `it cannot be reached (${fault})` };
    default:
      return { kind: "fault", fault: "broken", found: "the connection broke before an answer" };
  }
}
