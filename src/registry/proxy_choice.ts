/** The variables in which the runtime looks for proxies. */
const PROXY_VARIABLES: readonly string[] = [
  "HTTP_PROXY",
  "http_proxy",
  "HTTPS_PROXY",
  "https_proxy",
  "ALL_PROXY",
  "all_proxy",
];

/**
 * True when the runtime sends a request for a host with a name through a proxy. It compares NO_PROXY by letters, and
 * each entry stands for the names below it, too.
 */
export function usesProxy(
  { protocol, hostname }: URL,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  const own = protocol === "https:" ? ["HTTPS_PROXY", "https_proxy"] : ["HTTP_PROXY", "http_proxy"];
  if (![...own, "ALL_PROXY", "all_proxy"].some((name) => (environment[name] ?? "") !== "")) return false;
  const spared = (environment["NO_PROXY"] ?? environment["no_proxy"] ?? "").split(",")
    .map((entry) => entry.trim().replace(/^\./, "")).filter((entry) => entry !== "");
  return !spared.some((entry) => entry === "*" || hostname === entry || hostname.endsWith(`.${entry}`));
}

/** True when requests may go through a proxy of the environment. */
export function namesProxy(environment: Readonly<Record<string, string | undefined>>): boolean {
  return PROXY_VARIABLES.some((name) => (environment[name] ?? "") !== "");
}
