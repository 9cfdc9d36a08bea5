import { mayLeadTo } from "./host_class.ts";
import { RegistryError, shownText, shownUrl } from "./registry_error.ts";

/**
 * The token server a Bearer challenge names, if credentials may be sent there. A relative realm belongs to the
 * registry; a realm's own query is kept.
 *
 * Throws {@linkcode RegistryError} `policy` otherwise: the realm is chosen by whoever answered.
 */
export function tokenServer(registry: URL, realm: string | undefined): URL {
  const refuse = (found: string): never => {
    throw new RegistryError("policy", `Cannot ask for a token for '${registry.host}': ${found}`);
  };
  if (realm === undefined || realm === "") return refuse("its Bearer challenge names no realm");
  // trust boundary: the realm is the server's
  if (!URL.canParse(realm, registry)) return refuse(`its realm '${shownText(realm)}' is no URL`);
  const url = new URL(realm, registry);
  url.hash = "";
  const shown = shownUrl(url);
  if (url.username !== "" || url.password !== "") return refuse(`its realm '${shown}' holds credentials`);
  if (url.protocol === "http:" && registry.protocol === "https:") {
    return refuse(
      `its realm '${shown}' is plain http while the registry is https, correct the registry's public address ` +
        "(Harbor: external_url)",
    );
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    return refuse(`its realm '${shown}' is not https`);
  }
  if (!mayLeadTo(registry, url)) {
    return refuse(`its realm '${shown}' lies in a local network, the registry does not`);
  }
  return url;
}
