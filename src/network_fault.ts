/** Why a request got no response. `refused`, `unresolved` and `unreachable` mean that it was never sent. */
export type NetworkFault =
  | "refused"
  | "unresolved"
  | "unreachable"
  | "tls"
  | "blocked-port"
  | "permission"
  | "reset"
  | "unknown";

const SIGNS: readonly (readonly [RegExp, NetworkFault])[] = [
  [/requests to port \d+ are blocked/i, "blocked-port"],
  [/requires net access|notcapable/i, "permission"],
  [/dns error|failed to lookup|name or service not known|no such host|name resolution/i, "unresolved"],
  [/certificate|tls handshake|received corrupt message|handshake|unknownissuer|peer is incompatible/i, "tls"],
  [/connection refused|os error 111/i, "refused"],
  [
    /no route to host|network is unreachable|host is unreachable|os error 11[03]|os error 101|timed out/i,
    "unreachable",
  ],
  [
    /reset by peer|connection closed|broken pipe|unexpected end|end of file|connection aborted|incomplete message|error reading a body/i,
    "reset",
  ],
];

/**
 * Tells from the error of a failed `fetch` what went wrong, by the words of the error and its causes: the runtime
 * gives no codes.
 */
export function networkFault(error: unknown): NetworkFault {
  const words = wordsOf(error);
  return SIGNS.find(([sign]) => sign.test(words))?.[1] ?? "unknown";
}

/** True when the request cannot have reached the peer, so that sending it again cannot do anything twice. */
export function wasNeverSent(error: unknown): boolean {
  return /client error \(connect\)|are blocked/i.test(wordsOf(error));
}

/** Messages of an error and of its causes, four deep. */
function wordsOf(error: unknown): string {
  const words: string[] = [];
  let current = error;
  for (let depth = 0; depth < 4 && current instanceof Error; depth++) {
    words.push(`${current.name}: ${current.message}`);
    current = current.cause;
  }
  return words.join(" | ");
}
