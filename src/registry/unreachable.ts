import { networkFault } from "../network_fault.ts";
import { RegistryError, shownUrl } from "./registry_error.ts";
import { isPassingFault } from "./retry_timing.ts";

/** The failure that a broken connection means. */
export function unreachable(url: URL, cause: unknown, found?: string): RegistryError {
  const fault = networkFault(cause);
  const words: Record<typeof fault, string> = {
    refused: "nothing listens there",
    unresolved: "its name cannot be resolved",
    unreachable: "there is no way to it",
    tls: "TLS failed, name its authority with --ca-file, or a registry without TLS with --plain-http",
    "blocked-port": "the runtime refuses requests to this port",
    permission: "this program may not speak to that host",
    reset: "the connection broke",
    unknown: "the connection failed",
  };
  return new RegistryError("unreachable", `Cannot get '${shownUrl(url)}': ${found ?? words[fault]}`, {
    cause,
    retryable: isPassingFault(cause),
  });
}
