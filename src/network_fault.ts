/** Why a request got no response. */
export type NetworkFault =
  | "refused"
  | "unresolved"
  | "unreachable"
  | "tls"
  | "blocked-port"
  | "permission"
  | "reset"
  | "unknown";

/** Codes of the system, where an error carries one. */
const CODES: Readonly<Record<string, NetworkFault>> = {
  ECONNREFUSED: "refused",
  ENOTFOUND: "unresolved",
  EAI_AGAIN: "unresolved",
  EHOSTUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  ENETUNREACH: "unreachable",
  ETIMEDOUT: "unreachable",
  EPERM: "permission",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
};

/** Words of `fetch`, whose errors carry no codes. */
const SIGNS: readonly (readonly [RegExp, NetworkFault])[] = [
  [/requests to port \d+ are blocked/i, "blocked-port"],
  [/requires net access|notcapable/i, "permission"],
  [/dns error|failed to lookup|name or service not known|no such host|name resolution/i, "unresolved"],
  [/close_notify|unexpected-eof/i, "reset"],
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

/** Tells from the error of a failed request what went wrong: by the system's code, or else by its words. */
export function networkFault(error: unknown): NetworkFault {
  const chain = chainOf(error);
  const code = chain.map((link) => CODES[codeOf(link)]).find((fault) => fault !== undefined);
  return code ?? SIGNS.find(([sign]) => sign.test(wordsOf(chain)))?.[1] ?? "unknown";
}

/** An error and its causes, four deep. */
function chainOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let link = error; chain.length < 4 && link instanceof Error; link = link.cause) chain.push(link);
  return chain;
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

/** Without the URLs that `fetch` names: an image called `certificate` is not a TLS fault. */
function wordsOf(chain: readonly Error[]): string {
  return chain.map((link) => `${link.name}: ${link.message}`).join(" | ").replaceAll(/ url \([^)]*\)/g, "");
}
