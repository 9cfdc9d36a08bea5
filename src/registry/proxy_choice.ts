/** The variables in which the runtime looks for proxies. */
const PROXY_VARIABLES: readonly string[] = [
  "HTTP_PROXY",
  "http_proxy",
  "HTTPS_PROXY",
  "https_proxy",
  "ALL_PROXY",
  "all_proxy",
];

/** True when requests may go through a proxy of the environment. */
export function namesProxy(environment: Readonly<Record<string, string | undefined>>): boolean {
  return PROXY_VARIABLES.some((name) => (environment[name] ?? "") !== "");
}
