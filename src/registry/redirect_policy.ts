import { mayLeadTo } from "./host_class.ts";
import { RegistryError, shownUrl } from "./registry_error.ts";

/** A chain of this length is a loop in all but name; Go's client has the same limit. */
export const REDIRECT_LIMIT = 10;

/** Status codes that send a GET elsewhere. */
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/** True when the answer's `Location` is to be followed. */
export function isRedirect(status: number): boolean {
  return REDIRECTS.includes(status);
}

/**
 * Where an answer of `from` may send us. Credentials are not this file's matter: each origin has its own session,
 * and after leaving the first origin every session is anonymous.
 *
 * Throws {@linkcode RegistryError} `policy` for a downgrade to plain http, for userinfo, for another scheme, for a
 * host more inward than the one that sends us there, and for hop number 11.
 */
export function redirectTarget(from: URL, location: string | null, hops: number): URL {
  const refuse = (found: string): never => {
    throw new RegistryError("policy", `Cannot follow the redirect of '${shownUrl(from)}': ${found}`);
  };
  // trust boundary: Location is chosen by the server
  if (location === null || !URL.canParse(location, from)) return refuse("its Location is missing or no URL");
  const to = new URL(location, from);
  to.hash = "";
  if (hops >= REDIRECT_LIMIT) return refuse(`more than ${REDIRECT_LIMIT} redirects in a row`);
  if (to.protocol !== "https:" && to.protocol !== "http:") {
    return refuse(`it leads to the scheme '${to.protocol}'`);
  }
  if (from.protocol === "https:" && to.protocol === "http:") {
    return refuse(`it leads from https to plain http at '${to.host}', the registry must redirect to https`);
  }
  if (to.username !== "" || to.password !== "") {
    return refuse(`its Location at '${to.host}' holds credentials`);
  }
  if (!mayLeadTo(from, to)) return refuse(`it leads into a local network, to '${to.host}'`);
  return to;
}
